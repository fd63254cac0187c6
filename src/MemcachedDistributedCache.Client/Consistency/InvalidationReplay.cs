using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Consistency;

/// <summary>
/// Makes up for writes that failed: removes what the server has under each uncertain key, and only then lets the key be
/// read again. One task a node, which runs while there is something to remove and the node is up.
/// <para>
/// A write that was sent on a connection that is gone may still lie in the server's socket buffer. So its key is
/// removed twice, at once and again after a grace, and stays uncertain until then.
/// </para>
/// </summary>
internal sealed class InvalidationReplay
{
    private const int Concurrency = 512;

    /// <summary>However slow a server may be to answer, it has read its sockets by then.</summary>
    private const long LongestGrace = 5 * TimeSpan.TicksPerSecond;

    /// <summary>
    /// For how long nothing is read of a node with shared servers after too many writes have failed, in place of a fence.
    /// What a proxy still has of those writes has come to its server by then. Old values of keys that nobody remembers
    /// may be read afterwards, until their time to live ends.
    /// </summary>
    public static readonly TimeSpan SharedPause = TimeSpan.FromMinutes(1);

    private readonly INodeChannel _node;
    private readonly UncertainWrites _writes;
    private readonly ConsistencySettings _settings;
    private readonly NodeCounters _counters;
    private readonly ILogger _logger;
    private readonly CancellationToken _stop;
    private readonly TimeSpan _grace;
    private readonly BackgroundLoop _loop;
    private readonly Dictionary<long, long> _removedAt = []; // of uncertain writes that wait for their second removal, by version; used by the loop alone
    private readonly RefusedRemovals _refused;
    private bool _wasDown;
    private bool _isEnding;
    private long _removedUpTo;
    private int _removed;

    public InvalidationReplay(
        INodeChannel node,
        UncertainWrites writes,
        ConsistencySettings settings,
        NodeCounters counters,
        ILogger logger,
        CancellationToken stop)
    {
        _node = node;
        _writes = writes;
        _settings = settings;
        _counters = counters;
        _logger = logger;
        _stop = stop;
        _refused = new RefusedRemovals(settings, counters, logger);
        _grace = TimeSpan.FromTicks(Math.Min(settings.OperationTimeout.Ticks * 2, LongestGrace));
        _loop = new BackgroundLoop(HasWork, RunOnceAsync, stop);
    }

    /// <summary>
    /// A key that could be removed now has not been, not even once. For the end of the cache, which does not wait for
    /// second removals.
    /// </summary>
    public bool HasUndelivered => _node.IsUp && _writes.Count != 0 && _writes.LastVersion > Volatile.Read(ref _removedUpTo);

    /// <summary>There may be something to remove.</summary>
    public void Wake() => _loop.Wake();

    /// <summary>
    /// There is a connection to remove keys on. Where the node was not up before, what was sent then may come after
    /// every removal so far: it may have stood still.
    /// </summary>
    public void OnConnected(bool isNews)
    {
        if (isNews)
        {
            Volatile.Write(ref _wasDown, true);
        }

        _loop.Wake();
    }

    /// <summary>No retry comes any more that a removal had to wait for.</summary>
    public void BeginDelivery()
    {
        Volatile.Write(ref _isEnding, true);
        _loop.Wake();
    }

    private bool HasWork() => _node.IsUp && (_writes.Count != 0 || _writes.IsFull);

    private async Task RunOnceAsync()
    {
        if (Interlocked.Exchange(ref _wasDown, false))
        {
            _removedAt.Clear();
            _refused.Clear();
        }

        bool wasFull = _writes.IsFull;
        bool isDone = await RemoveAsync().ConfigureAwait(false);
        if (isDone && wasFull)
        {
            // The fence is for this process alone. For the others what is remembered was removed, before it is
            // forgotten; nothing is added while there is no room.
            await RenewFenceAsync().ConfigureAwait(false);
        }

        if (_writes.Count == 0)
        {
            // Some are of uncertain writes that newer ones have taken the place of.
            _removedAt.Clear();
            _refused.Clear();
            if (Interlocked.Exchange(ref _removed, 0) is > 0 and int removed)
            {
                Log.UncertainKeysReplayed(_logger, _counters.Server, removed);
            }
        }

        if (HasWork())
        {
            await Task.Delay(_settings.RetryPause, _settings.TimeProvider, _stop).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Begins to remember anew, and renews the fence of the whole node when every request from before must have been
    /// made or lost.
    /// </summary>
    private async Task RenewFenceAsync()
    {
        // First, so that what fails during the pause is remembered and has a pause of its own.
        _writes.BeginAnew();
        _removedAt.Clear();
        _refused.Clear();
        await Task.Delay(_settings.IsShared ? SharedPause : _grace, _settings.TimeProvider, _stop).ConfigureAwait(false);
        _writes.TryRenewFence();
    }

    /// <summary>
    /// Removes what is due; true if nothing is left to wait for: every removal was made, or was refused for long enough.
    /// </summary>
    private async Task<bool> RemoveAsync()
    {
        bool all = true;
        long last = _writes.LastVersion;
        KeyValuePair<byte[], UncertainWrites.UncertainWrite>[] writes = _writes.Snapshot();
        bool isAnyHeldBack = Array.Exists(writes, write => IsHeldBack(write.Value));
        foreach (KeyValuePair<byte[], UncertainWrites.UncertainWrite>[] batch in writes.Where(IsDue).Chunk(Concurrency))
        {
            OperationResult[] results = await Task.WhenAll(batch.Select(write => _node.DeleteAsync(write.Key))).ConfigureAwait(false);
            for (int i = 0; i < batch.Length; i++)
            {
                if (results[i].Failure is { Reason: MemcachedFailureReason.ServerError or MemcachedFailureReason.ServerOutOfMemory } refusal)
                {
                    _refused.Add(batch[i].Value.Version, refusal);
                }
                else if (results[i].Status is not (ResultStatus.Success or ResultStatus.Miss))
                {
                    all = false;
                }
                else if (IsLastRemoval(batch[i].Value) && _writes.Clear(batch[i]))
                {
                    _counters.AddReplayed(1);
                    Interlocked.Increment(ref _removed);
                }
            }
        }

        if (all && !isAnyHeldBack)
        {
            Volatile.Write(ref _removedUpTo, last);
        }

        ForgetOthers(writes);
        return all && !Array.Exists(writes, write => _writes.IsCurrent(write) && _refused.IsAwaited(write.Value.Version));
    }

    /// <summary>Forgets the first removals of keys that were settled, or written again, before their second.</summary>
    private void ForgetOthers(KeyValuePair<byte[], UncertainWrites.UncertainWrite>[] writes)
    {
        _refused.KeepOnly(writes.Select(static write => write.Value.Version));
        if (_removedAt.Count > writes.Length)
        {
            HashSet<long> current = [.. writes.Select(static write => write.Value.Version)];
            foreach (long version in _removedAt.Keys.Where(version => !current.Contains(version)).ToArray())
            {
                _removedAt.Remove(version);
            }
        }
    }

    /// <summary>Asked as each batch is put together: a key may have been settled since the batch before.</summary>
    private bool IsDue(KeyValuePair<byte[], UncertainWrites.UncertainWrite> write)
        => _writes.IsCurrent(write)
            && !IsHeldBack(write.Value)
            && !_refused.IsPaused(write.Value.Version)
            && (!_removedAt.TryGetValue(write.Value.Version, out long at) || _settings.TimeProvider.GetElapsedTime(at) >= _grace);

    /// <summary>
    /// A write that timed out may be tried again within the operation's limit, and settle its key then. A removal that
    /// was sent behind the retry would take away what that has stored.
    /// </summary>
    private bool IsHeldBack(UncertainWrites.UncertainWrite write)
        => write.SettledBy > 0
            && !_writes.IsFull
            && !Volatile.Read(ref _isEnding)
            && _settings.TimeProvider.GetElapsedTime(write.RecordedAt) < _settings.OperationTimeout;

    private bool IsLastRemoval(UncertainWrites.UncertainWrite write)
    {
        if (!write.MayOvertakeRemoval || _removedAt.Remove(write.Version))
        {
            return true;
        }

        _removedAt[write.Version] = _settings.TimeProvider.GetTimestamp();
        return false;
    }
}
