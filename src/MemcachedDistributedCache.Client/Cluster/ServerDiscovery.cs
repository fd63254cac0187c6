using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Asks which servers there are: at the start, from time to time, and soon after a node has failed. An answer that
/// cannot be used changes nothing, and is logged once until it is another. One question at a time, each on a thread of
/// its own. docs/discovery.md describes the whole.
/// </summary>
internal sealed class ServerDiscovery
{
    /// <summary>Nodes that fail make the questions no more frequent than this.</summary>
    public static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(5);

    private readonly ClusterSettings _settings;
    private readonly ServerSpec _endpoint;
    private readonly string _name;
    private readonly ServiceResolver _services;
    private readonly Action<IReadOnlyList<ServerSpec>> _found;
    private readonly Func<bool> _isAnyUp;
    private readonly ILogger _logger;
    private readonly CancellationToken _stop;
    private readonly ListVersions _lists;
    private readonly BackgroundLoop _loop;
    private TaskCompletionSource _nodeFailed = NewSignal();
    private bool _isFirstOver;
    private long _askedAt;
    private string? _failure;

    /// <summary>Makes it; nothing is asked yet.</summary>
    /// <param name="settings">The interval, and how to connect.</param>
    /// <param name="endpoint">Who is asked.</param>
    /// <param name="services">Asks DNS.</param>
    /// <param name="found">Told of the servers, each time that they are others.</param>
    /// <param name="isAnyUp">A node of the present list answers.</param>
    /// <param name="logger">Where to log.</param>
    /// <param name="stop">Ends it.</param>
    public ServerDiscovery(
        ClusterSettings settings,
        ServerSpec endpoint,
        ServiceResolver services,
        Action<IReadOnlyList<ServerSpec>> found,
        Func<bool> isAnyUp,
        ILogger logger,
        CancellationToken stop)
    {
        _settings = settings;
        _endpoint = endpoint;
        _services = services;
        _name = endpoint.Discovers == DiscoveryKind.Service ? endpoint.Address.Host : endpoint.Address.ToString();
        _found = found;
        _isAnyUp = isAnyUp;
        _logger = logger;
        _stop = stop;
        _lists = new ListVersions(Time, settings.DiscoveryInterval);
        _loop = new BackgroundLoop(() => Volatile.Read(ref _isFirstOver), PauseAndAskAsync, stop);
    }

    private TimeProvider Time => _settings.Connections.TimeProvider;

    /// <summary>
    /// Asks for the first time, and waits for the answer within the limit of a connect. What is asked of the cluster
    /// before any server is known is lost.
    /// </summary>
    public void AskFirst()
    {
        var thread = new Thread(() =>
        {
            try
            {
                Ask();
            }
            catch (Exception exception)
            {
                // On a thread of its own it would end the process. It is asked again.
                Log.DiscoveryFailed(_logger, _name, exception.Message, _lists.Servers.Count);
            }

            Volatile.Write(ref _isFirstOver, true);
            _loop.Wake();
        })
        {
            IsBackground = true,
            Name = "memcached discovery",
        };
        thread.UnsafeStart();
        thread.Join(_settings.Connections.ConnectTimeout);
    }

    /// <summary>A node has failed: the list may be another by now.</summary>
    public void OnNodeDown() => Volatile.Read(ref _nodeFailed).TrySetResult();

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task PauseAndAskAsync()
    {
        TimeSpan pause = _lists.Servers.Count == 0 ? ServerDirectory.RetryPause : _settings.DiscoveryInterval;
        try
        {
            await _nodeFailed.Task.WaitAsync(pause, Time, _stop).ConfigureAwait(false);
            TimeSpan rest = ShortestPause - Time.GetElapsedTime(_askedAt);
            if (rest > TimeSpan.Zero)
            {
                await Task.Delay(rest, Time, _stop).ConfigureAwait(false);
            }
        }
        catch (TimeoutException)
        {
            // No node has failed, and it is time.
        }

        Volatile.Write(ref _nodeFailed, NewSignal());
        await Task.Factory.StartNew(Ask, _stop, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
    }

    private void Ask()
    {
        _askedAt = Time.GetTimestamp();
        Answer answer = _endpoint.Discovers == DiscoveryKind.Service ? AskNames() : AskEndpoint();
        if (_stop.IsCancellationRequested)
        {
            return;
        }

        string? failure = answer.Error ?? _lists.Objection(answer.Version, answer.Servers!, _isAnyUp());
        bool isNews = failure != _failure;
        _failure = failure;
        if (failure is not null)
        {
            if (isNews)
            {
                Log.DiscoveryFailed(_logger, _name, failure, _lists.Servers.Count);
            }

            return;
        }

        bool isOther = _lists.IsOther(answer.Version, answer.Servers!);
        if (isOther || isNews)
        {
            Log.ServersDiscovered(_logger, _name, answer.Servers!.Count, answer.Version is { } version ? $", version {version} of its list" : "");
        }

        if (isOther)
        {
            _found(answer.Servers!);
            _lists.Use(answer.Version, answer.Servers!);
        }
    }

    private Answer AskEndpoint()
    {
        (ClusterConfiguration? configuration, string? error) = ConfigurationExchange.Run(_settings.Connections, _endpoint.Address, _stop);
        if (configuration is null)
        {
            return new Answer(Error: error);
        }

        var servers = new List<ServerSpec>(configuration.Servers.Count);
        foreach ((string host, int port) in configuration.Servers)
        {
            string text = new ServerAddress(host, port).ToString();
            if (!ServerSpec.TryParse(text, out ServerSpec? server, out string? mistake))
            {
                return new Answer(Error: $"it names the server '{text}': {mistake}");
            }

            servers.Add(server);
        }

        return new Answer(configuration.Version, servers);
    }

    private Answer AskNames()
    {
        (IReadOnlyList<ServiceRecord> records, string? error) = _services.Resolve(_endpoint.Address.Host, _settings.Connections.ConnectTimeout);
        (IReadOnlyList<ServerSpec>? servers, string? mistake) = error is null ? ServiceServers.Of(records) : (null, null);
        return new Answer(Servers: servers, Error: error ?? mistake);
    }

    private readonly record struct Answer(long? Version = null, IReadOnlyList<ServerSpec>? Servers = null, string? Error = null);
}
