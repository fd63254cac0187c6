using System.Globalization;
using System.Net;

namespace MemcachedDistributedCache.Testing;

/// <summary>
/// A clock for real memcached processes, which the test moves: libfaketime (its thread-safe form, for memcached has several) gives each
/// process the time that stands in a file.
/// Between two moves the time stands still.
/// </summary>
public sealed class ServerClock : IAsyncDisposable
{
    private static readonly string? Library = Directory.Exists("/usr/lib")
        ? Directory.EnumerateDirectories("/usr/lib").Select(folder => Path.Combine(folder, "faketime", "libfaketimeMT.so.1")).FirstOrDefault(File.Exists)
        : null;

    private readonly string _file = Path.Combine(Path.GetTempPath(), "memcached-clock-" + Guid.NewGuid().ToString("N"));
    private readonly List<MemcachedProcess> _servers = [];
    private DateTimeOffset _now;

    /// <summary>A clock that stands at <paramref name="start"/>.</summary>
    public ServerClock(DateTimeOffset start)
    {
        _now = start;
        Write();
    }

    /// <summary>Why a test that needs this clock is skipped, or null where it can run.</summary>
    public static string? SkipReason
        => MemcachedBinary.SkipReason ?? (Library is null ? "No libfaketime: run ./test.sh, which installs it (Debian: apt-get install libfaketime)." : null);

    /// <summary>Starts a memcached that lives by this clock.</summary>
    public async Task<MemcachedProcess> StartAsync(params string[] arguments)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["LD_PRELOAD"] = Library!,
            ["FAKETIME_TIMESTAMP_FILE"] = _file,
            ["FAKETIME_NO_CACHE"] = "1",
            ["TZ"] = "UTC",
        };
        MemcachedProcess server = await MemcachedProcess.StartAsync(IPAddress.Loopback, environment, arguments);
        _servers.Add(server);
        return server;
    }

    /// <summary>Moves the clock of all servers and returns when each has seen the new time.</summary>
    public async Task AdvanceAsync(TimeSpan by)
    {
        _now += by;
        Write();
        await Task.WhenAll(_servers.Select(SeeAsync));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (MemcachedProcess server in _servers)
        {
            await server.DisposeAsync();
        }

        File.Delete(_file);
    }

    private async Task SeeAsync(MemcachedProcess server)
    {
        // memcached's main thread reads the clock by a timer of one second, which it looks at when it wakes, and a
        // new connection wakes it. The first may be served before the timer was; the second comes after. What it
        // then shows is less than a second old, and is made of two clocks, the monotonic and the other, whose
        // seconds do not begin together.
        await server.CommandAsync("version");
        long seen = long.Parse((await server.StatsAsync())["time"], CultureInfo.InvariantCulture);
        if (seen < _now.ToUnixTimeSeconds() - 2 || seen > _now.ToUnixTimeSeconds())
        {
            throw new InvalidOperationException($"{server.Server} shows {seen} at {_now.ToUnixTimeSeconds()}");
        }
    }

    private void Write()
    {
        // Renamed into place, so that no process ever reads half a time.
        File.WriteAllText(_file + ".new", _now.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture) + "\n");
        File.Move(_file + ".new", _file, overwrite: true);
    }
}

/// <summary>A fact that needs a real memcached whose clock can be moved.</summary>
public sealed class ServerClockFactAttribute : Xunit.FactAttribute
{
    public ServerClockFactAttribute() => Skip = ServerClock.SkipReason;

    /// <inheritdoc cref="MemcachedFactAttribute.MetaOnly"/>
    public string? MetaOnly
    {
        get => Skip;
        set => Skip ??= Caches.Protocol == MemcachedProtocol.Classic ? value : null;
    }
}

/// <summary>A theory that needs a real memcached whose clock can be moved.</summary>
public sealed class ServerClockTheoryAttribute : Xunit.TheoryAttribute
{
    public ServerClockTheoryAttribute() => Skip = ServerClock.SkipReason;

    /// <inheritdoc cref="MemcachedFactAttribute.MetaOnly"/>
    public string? MetaOnly
    {
        get => Skip;
        set => Skip ??= Caches.Protocol == MemcachedProtocol.Classic ? value : null;
    }
}
