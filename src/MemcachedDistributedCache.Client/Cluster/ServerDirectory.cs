using System.Collections.Concurrent;
using System.Net;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Turns the configured servers into addresses, of which each is a node, and looks names up again from time to time. A name that cannot be
/// resolved keeps the addresses that it had.
/// </summary>
internal sealed class ServerDirectory
{
    /// <summary>How soon a name that could not be resolved is tried again.</summary>
    public static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);

    private readonly NameResolver _names;
    private readonly ClusterSettings _settings;
    private readonly ILogger _logger;
    private readonly Action _changed;
    private readonly CancellationToken _stop;
    private readonly ConcurrentDictionary<string, IPAddress[]> _addresses = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _failing = new(StringComparer.Ordinal);
    private readonly BackgroundLoop _following;
    private IReadOnlyList<ServerSpec> _specs;
    private IReadOnlyList<ServerSpec>? _discovered;

    public ServerDirectory(
        NameResolver names,
        ClusterSettings settings,
        IReadOnlyList<ServerSpec> specs,
        Action changed,
        ILogger logger,
        CancellationToken stop)
    {
        _names = names;
        _settings = settings;
        _specs = specs;
        _changed = changed;
        _logger = logger;
        _stop = stop;
        _following = new BackgroundLoop(() => NamesToFollow().Length != 0, FollowAsync, stop);
    }

    /// <summary>The discovered servers, in place of the configured ones.</summary>
    private IReadOnlyList<ServerSpec> Specs => Volatile.Read(ref _discovered) ?? Volatile.Read(ref _specs);

    /// <summary>The addresses of a name as they were found last; null where it has not been looked up.</summary>
    public IPAddress[]? AddressesOf(string host) => _addresses.GetValueOrDefault(host);

    /// <summary>The addresses of the servers, each once. Empty while no name has been resolved.</summary>
    public IReadOnlyList<(ServerAddress Address, int Weight)> Servers
        => [.. Specs.SelectMany(Expand).DistinctBy(static server => server.Address.ToString(), StringComparer.Ordinal)];

    /// <summary>
    /// Looks up, within the limit of a connect, the names of which the nodes cannot be told without. On threads of
    /// their own: nothing of the application's start may wait for a pool that is not there yet.
    /// </summary>
    public void ResolveFirst()
    {
        Thread[] threads =
        [
            .. _specs
                .Where(static spec => spec.IsEachAddress)
                .Select(spec => new Thread(() => Note(spec.Address.Host, _names.TryResolve(spec.Address.Host)))
                {
                    IsBackground = true,
                    Name = "memcached names",
                }),
        ];
        Array.ForEach(threads, static thread => thread.UnsafeStart());
        long start = _settings.Connections.TimeProvider.GetTimestamp();
        foreach (Thread thread in threads)
        {
            TimeSpan left = _settings.Connections.ConnectTimeout - _settings.Connections.TimeProvider.GetElapsedTime(start);
            thread.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }
    }

    /// <summary>Begins to look names up from time to time, where there are any.</summary>
    public void Follow() => _following.Wake();

    /// <summary>Other servers are configured.</summary>
    public async Task UseAsync(IReadOnlyList<ServerSpec> specs)
    {
        Volatile.Write(ref _specs, specs);
        ForgetOthers(Specs);
        try
        {
            if (Specs.Any(spec => spec.IsEachAddress && !_addresses.ContainsKey(spec.Address.Host)))
            {
                await RefreshAsync().ConfigureAwait(false);
            }

            Follow();
            _changed();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The cache is gone.
        }
    }

    /// <summary>These servers have been found, and are used in place of those that are configured.</summary>
    public void UseDiscovered(IReadOnlyList<ServerSpec> specs)
    {
        Volatile.Write(ref _discovered, specs);
        ForgetOthers(specs);
        Follow();
        _changed();
    }

    private IEnumerable<(ServerAddress Address, int Weight)> Expand(ServerSpec spec)
        => spec.IsEachAddress
            ? NameResolver
                .OneFamily(AddressesOf(spec.Address.Host) ?? [])
                .Select(address =>
                    (new ServerAddress(address.ToString(), spec.Address.Port) { ConfiguredHost = spec.Address.Host }, spec.Weight))
            : [(spec.Address, spec.Weight)];

    /// <summary>Forgets names that are no longer configured.</summary>
    private void ForgetOthers(IReadOnlyList<ServerSpec> specs)
    {
        HashSet<string> hosts = [.. specs.Select(static spec => spec.Address.Host)];
        foreach (string host in _addresses.Keys.Concat(_failing.Keys).Where(host => !hosts.Contains(host)))
        {
            _addresses.TryRemove(host, out _);
            _failing.TryRemove(host, out _);
        }
    }

    private string[] NamesToFollow()
        => [
            .. Specs
                .Where(spec =>
                    !spec.Address.IsUnixSocket
                    && !IPAddress.TryParse(spec.Address.Host, out _)
                    && (
                        _settings.DnsRefreshInterval != Timeout.InfiniteTimeSpan
                        || (spec.IsEachAddress && !_addresses.ContainsKey(spec.Address.Host))))
                .Select(static spec => spec.Address.Host)
                .Distinct(StringComparer.Ordinal),
        ];

    private async Task FollowAsync()
    {
        bool isLate = Array.Exists(NamesToFollow(), _failing.GetValueOrDefault);
        TimeSpan pause = _settings.DnsRefreshInterval;
        bool isShort = pause == Timeout.InfiniteTimeSpan || (isLate && pause > RetryPause);
        await Task.Delay(isShort ? RetryPause : pause, _settings.Connections.TimeProvider, _stop).ConfigureAwait(false);
        await RefreshAsync().ConfigureAwait(false);
        _changed();
    }

    private Task RefreshAsync()
        => Task.WhenAll(
            NamesToFollow()
                .Select(async host =>
                    Note(
                        host,
                        await _names
                            .TryResolveAsync(host, _settings.Connections.ConnectTimeout, _settings.Connections.TimeProvider, _stop)
                            .ConfigureAwait(false))));

    private void Note(string host, IPAddress[] found)
    {
        if (!Array.Exists([.. Specs], spec => spec.Address.Host == host))
        {
            // It has left while it was looked up.
            return;
        }

        bool failed = found.Length == 0 || NameResolver.LacksIPv4(found, AddressesOf(host));
        if (!failed)
        {
            _addresses[host] = found;
        }

        bool wasFailing = _failing.GetValueOrDefault(host);
        _failing[host] = failed;
        if (failed && !wasFailing)
        {
            Log.NameNotResolved(_logger, host, _addresses.TryGetValue(host, out IPAddress[]? kept) ? kept.Length : 0);
        }
    }
}
