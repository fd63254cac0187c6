using System.ComponentModel;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>An application with a hybrid cache, as far as the cache is concerned: a service provider of its own.</summary>
internal sealed class Instance : IAsyncDisposable, IDisposable
{
    private readonly ServiceProvider _provider;

    private Instance(ServiceProvider provider, RecordingLogger logger)
    {
        _provider = provider;
        Logger = logger;
        Cache = provider.GetRequiredService<MemcachedHybridCache>();
        Below = provider.GetRequiredService<MemcachedCache>();
    }

    public MemcachedHybridCache Cache { get; }

    public MemcachedCache Below { get; }

    public RecordingLogger Logger { get; }

    public MemcachedHybridStatistics Statistics => Cache.GetStatistics();

    /// <summary>Makes an application on servers; its waits are long, so that a busy machine does not look like an outage.</summary>
    public static Instance On(
        IEnumerable<string> servers,
        string space,
        Action<MemcachedCacheOptions>? configure = null,
        Action<IServiceCollection>? register = null)
    {
        var logger = new RecordingLogger();
        var services = new ServiceCollection();
        services.AddSingleton<ILoggerFactory>(logger);
        services.AddMemcachedHybridCache(options =>
        {
            options.Servers = [.. servers];
            options.Protocol = Caches.Protocol;
            options.Namespace = space;
            options.OperationTimeout = TimeSpan.FromSeconds(10);
            options.ReconnectDelay = TimeSpan.FromMilliseconds(20);
            options.MaximumReconnectDelay = TimeSpan.FromMilliseconds(200);
            options.Hybrid.ExpirationJitter = 0;
            configure?.Invoke(options);
        });
        register?.Invoke(services);
        return new Instance(services.BuildServiceProvider(), logger);
    }

    /// <summary>Several of them on the same servers.</summary>
    public static Instance[] Several(int count, IEnumerable<MemcachedProcess> servers, Action<MemcachedCacheOptions>? configure = null)
    {
        string space = Space();
        string[] names = [.. servers.Select(static server => server.Server)];
        return [.. Enumerable.Range(0, count).Select(_ => On(names, space, configure))];
    }

    public static string Space() => Guid.NewGuid().ToString("N") + ":";

    public ValueTask<T> Get<T>(
        string key,
        Func<CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        string[]? tags = null,
        CancellationToken token = default)
        => Cache.GetOrCreateAsync(key, factory, options, tags, token);

    /// <summary>What the cache has, without making anything.</summary>
    public ValueTask<T> Peek<T>(string key)
        => Cache.GetOrCreateAsync<T>(
            key,
            static _ => throw new InvalidOperationException("not to be run"),
            new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData });

    /// <summary>The same, past this process's local cache.</summary>
    public ValueTask<T> PeekCluster<T>(string key)
        => Cache.GetOrCreateAsync<T>(
            key,
            static _ => throw new InvalidOperationException("not to be run"),
            new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData | HybridCacheEntryFlags.DisableLocalCache });

    public async ValueTask<(T Value, MemcachedHybridSource Source)> GetWithSource<T>(
        string key,
        Func<CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        string[]? tags = null)
    {
        MemcachedHybridResult<T> result = await Cache.GetOrCreateWithSourceAsync(key, factory, static (make, token) => make(token), options, tags);
        return (result.Value, result.Source);
    }

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    public void Dispose() => _provider.Dispose();
}

/// <summary>Helps with several of them.</summary>
internal static class Instances
{
    public static async ValueTask DisposeAllAsync(this IEnumerable<Instance> instances)
    {
        foreach (Instance instance in instances)
        {
            await instance.DisposeAsync();
        }
    }
}

/// <summary>A class that each caller must have an object of its own of.</summary>
internal sealed class Mutable
{
    public int Number { get; set; }

    public string Text { get; set; } = "";
}

/// <summary>A class that all callers may share.</summary>
[ImmutableObject(true)]
internal sealed record Shared(int Number, string Text);
