using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Asks which servers there are: at the start, from time to time, and soon after a node has failed or the one who is
/// asked has told of a change. An answer that
/// cannot be used changes nothing, and is logged once until it is another. One question at a time, each on a thread of
/// its own. docs/discovery.md describes the whole.
/// </summary>
internal sealed class ServerDiscovery
{
    /// <summary>Nodes that fail make the questions no more frequent than this.</summary>
    public static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(5);

    private readonly ClusterSettings _settings;
    private readonly IServerLister _lister;
    private readonly Action<IReadOnlyList<ServerSpec>> _found;
    private readonly Func<bool> _isAnyUp;
    private readonly ILogger _logger;
    private readonly CancellationToken _stop;
    private readonly ListVersions _lists;
    private readonly BackgroundLoop _loop;
    private TaskCompletionSource<TimeSpan> _hastened = NewSignal();
    private bool _isFirstOver;
    private long _askedAt;
    private string? _failure;

    /// <summary>Makes it; nothing is asked yet.</summary>
    /// <param name="settings">The interval, and how to connect.</param>
    /// <param name="lister">Who is asked.</param>
    /// <param name="found">Told of the servers, each time that they are others.</param>
    /// <param name="isAnyUp">A node of the present list answers.</param>
    /// <param name="logger">Where to log.</param>
    /// <param name="stop">Ends it.</param>
    public ServerDiscovery(
        ClusterSettings settings,
        IServerLister lister,
        Action<IReadOnlyList<ServerSpec>> found,
        Func<bool> isAnyUp,
        ILogger logger,
        CancellationToken stop)
    {
        _settings = settings;
        _lister = lister;
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
                Log.DiscoveryFailed(_logger, _lister.Name, exception.Message, _lists.Servers.Count);
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
    public void OnNodeDown() => Volatile.Read(ref _hastened).TrySetResult(ShortestPause);

    /// <summary>Who is asked has another list, and says so. That is no guess, and followed sooner than a failure.</summary>
    private void OnChanged() => Volatile.Read(ref _hastened).TrySetResult(ServerDirectory.RetryPause);

    private static TaskCompletionSource<TimeSpan> NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task PauseAndAskAsync()
    {
        TimeSpan pause = _lists.Servers.Count == 0 ? ServerDirectory.RetryPause : _settings.DiscoveryInterval;
        try
        {
            TimeSpan shortest = await _hastened.Task.WaitAsync(pause, Time, _stop).ConfigureAwait(false);
            TimeSpan rest = shortest - Time.GetElapsedTime(_askedAt);
            if (rest > TimeSpan.Zero)
            {
                await Task.Delay(rest, Time, _stop).ConfigureAwait(false);
            }
        }
        catch (TimeoutException)
        {
            // Nothing has happened, and it is time.
        }

        Volatile.Write(ref _hastened, NewSignal());
        await Task.Factory.StartNew(Ask, _stop, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
    }

    private void Ask()
    {
        _askedAt = Time.GetTimestamp();
        ServerList answer = _lister.Ask(OnChanged, _stop);
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
                Log.DiscoveryFailed(_logger, _lister.Name, failure, _lists.Servers.Count);
            }

            return;
        }

        bool isOther = _lists.IsOther(answer.Version, answer.Servers!);
        if (isOther || isNews)
        {
            Log.ServersDiscovered(_logger, _lister.Name, answer.Servers!.Count, answer.Version is { } version ? $", version {version} of its list" : "");
        }

        if (isOther)
        {
            _found(answer.Servers!);
            _lists.Use(answer.Version, answer.Servers!);
        }
    }
}
