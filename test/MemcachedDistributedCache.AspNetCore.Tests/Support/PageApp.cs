using MemcachedDistributedCache.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.AspNetCore.Tests.Support;

/// <summary>One instance of an application with output caching on memcached.</summary>
internal sealed class PageApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private PageApp(WebApplication app, RecordingLogger log)
    {
        _app = app;
        Log = log;
        Client = app.GetTestClient();
    }

    /// <summary>Sends requests to the instance.</summary>
    public HttpClient Client { get; }

    /// <summary>What the instance logged.</summary>
    public RecordingLogger Log { get; }

    /// <summary>The store of its pages.</summary>
    public IOutputCacheStore Store => _app.Services.GetRequiredService<IOutputCacheStore>();

    /// <summary>What the store has done.</summary>
    public MemcachedOutputCacheStatistics Statistics => _app.Services.GetRequiredService<MemcachedOutputCacheStatistics>();

    /// <summary>Its services.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>The cache.</summary>
    public MemcachedCache Cache => _app.Services.GetRequiredService<MemcachedCache>();

    /// <summary>Starts an instance.</summary>
    /// <param name="servers">The connection string.</param>
    /// <param name="map">Its endpoints.</param>
    /// <param name="keyNamespace">Instances with the same one share their pages.</param>
    /// <param name="configure">More services, or other options.</param>
    public static async Task<PageApp> StartAsync(
        string servers,
        Action<WebApplication> map,
        string? keyNamespace = null,
        Action<IServiceCollection>? configure = null)
    {
        var log = new RecordingLogger();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders().AddProvider(log).SetMinimumLevel(LogLevel.Debug);
        builder.Services.AddRouting();
        builder.Services.AddMemcachedDistributedCache(servers);
        builder.Services.AddMemcachedDistributedCache(options =>
        {
            options.Namespace = keyNamespace ?? NewNamespace();

            // A busy machine may take longer than the default second, and the miss that follows is right but not what is tested.
            options.OperationTimeout = TimeSpan.FromSeconds(20);
            options.ConnectTimeout = TimeSpan.FromSeconds(20);
        });
        builder.Services.AddMemcachedOutputCache();
        configure?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        app.UseOutputCache();
        map(app);
        await app.StartAsync();
        return new PageApp(app, log);
    }

    /// <summary>A namespace that no other test uses.</summary>
    public static string NewNamespace() => Guid.NewGuid().ToString("N") + ":";

    public Task<string> GetAsync(string path) => Client.GetStringAsync(new Uri(path, UriKind.Relative));

    public async Task EvictAsync(string tag) => await Store.EvictByTagAsync(tag, CancellationToken.None);

    /// <summary>The application's view of the pages' partition, to look at and spoil what lies there.</summary>
    public MemcachedCache Pages => Cache.CreatePartition("output-cache");

    /// <summary>Where a tag's version lies.</summary>
    public static string VersionKey(string tag) => TagId.Of(tag).Key;

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}
