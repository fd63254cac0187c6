using System.Net;

namespace MemcachedDistributedCache.Testing;

/// <summary>Makes caches for tests.</summary>
public static class Caches
{
    /// <summary>
    /// The commands that tests ask their servers by, unless a test has its own reason: as the environment variable
    /// <c>MEMCACHED_TEST_PROTOCOL</c> says (<c>Auto</c>, <c>Meta</c> or <c>Classic</c>), so that one suite runs with either dialect.
    /// </summary>
    public static MemcachedProtocol Protocol { get; } =
        Environment.GetEnvironmentVariable("MEMCACHED_TEST_PROTOCOL") is { Length: > 0 } name
            ? Enum.Parse<MemcachedProtocol>(name)
            : MemcachedProtocol.Auto;

    /// <summary>A cache that throws and waits long, with a namespace that no other test uses.</summary>
    /// <param name="servers">Where.</param>
    /// <param name="configure">Sets other options.</param>
    /// <param name="timeProvider">The application's clock, which tells what has expired.</param>
    /// <param name="ioTime">The clock of time limits, retries and reconnects, and what servers are told as a date; the
    /// system's for an application.</param>
    public static MemcachedCache On(
        IEnumerable<string> servers,
        Action<MemcachedCacheOptions>? configure = null,
        TimeProvider? timeProvider = null,
        TimeProvider? ioTime = null)
    {
        var options = new MemcachedCacheOptions
        {
            Servers = [.. servers],
            Protocol = Protocol,
            Namespace = Guid.NewGuid().ToString("N") + ":",
            FailureMode = MemcachedFailureMode.Throw,
            OperationTimeout = TimeSpan.FromSeconds(10),
        };
        configure?.Invoke(options);
        return new MemcachedCache(options, null, timeProvider, null, null, ioTime: ioTime);
    }

    /// <summary>Such a cache on one server.</summary>
    public static MemcachedCache On(EndPoint server, Action<MemcachedCacheOptions>? configure = null)
        => On([server.ToString()!], configure);

    /// <summary>Waits until every write that failed has been made up for.</summary>
    public static Task ReadableAsync(this MemcachedCache cache)
        => Eventually.True(
            () => cache.GetNodes().All(node => node is { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false }),
            "all nodes are up and no key is uncertain");

    /// <summary>Waits until no request is under way, touches behind reads among them.</summary>
    public static Task QuietAsync(this MemcachedCache cache)
        => Eventually.True(() => cache.GetNodes().All(node => node.PendingOperations == 0), "no request is under way");
}
