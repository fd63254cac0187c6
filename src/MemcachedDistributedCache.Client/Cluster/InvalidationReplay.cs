using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Makes up for writes that failed: removes what the server has under each uncertain key, and only then lets the key be read again. One
/// task a node, which runs while there is something to do and the node is up.
/// <para>
/// A write that was sent on a connection that is gone may still lie in the server's socket buffer. So its key is removed twice, at once
/// and again after a grace, and stays uncertain until then.
/// </para>
/// </summary>
internal sealed class InvalidationReplay(Node node, ClusterSettings settings, ILogger logger, CancellationToken stop)
{
    private const int Concurrency = 512;

    /// <summary>However slow a server may be to answer, it has read its sockets by then.</summary>
    private const long LongestGrace = 5 * TimeSpan.TicksPerSecond;

    private readonly TimeProvider _time = settings.Connections.TimeProvider;
    private readonly TimeSpan _grace = TimeSpan.FromTicks(Math.Min(settings.OperationTimeout.Ticks * 2, LongestGrace));
    private readonly Dictionary<long, long> _removedAt = []; // of uncertain writes that wait for their second removal, by version
    private readonly Lock _lock = new();
    private long _removedUpTo;
    private int _removed;
    private bool _isRunning;
    private bool _mustCheckFence;

    /// <summary>Whether a key that could be removed now has not been, not even once. For the end of the cache, which does not wait for second removals.</summary>
    public bool HasUndelivered => node.State == MemcachedNodeState.Up && node.UncertainWrites.Count != 0 && node.UncertainWrites.LastVersion > Volatile.Read(ref _removedUpTo);

    /// <summary>There is something to do, or a connection to do it on.</summary>
    /// <param name="connected">Whether a connection was opened: the server behind it may be one that has lost its memory.</param>
    public void Wake(bool connected = false)
    {
        lock (_lock)
        {
            _mustCheckFence |= connected && node.Fence.Value != 0;
            if (_isRunning || (node.UncertainWrites.IsEmpty && !_mustCheckFence))
            {
                return;
            }

            _isRunning = true;
        }

        using (FlowGuard.Suppress())
        {
            _ = Task.Run(RunAsync, CancellationToken.None);
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (HasWork())
            {
                bool done = node.UncertainWrites.AreAllUncertain
                    ? await RenewFenceAsync().ConfigureAwait(false)
                    : await CheckFenceAsync().ConfigureAwait(false);
                if (done)
                {
                    await RemoveAsync().ConfigureAwait(false);
                }

                if (!node.UncertainWrites.IsEmpty || !done)
                {
                    await Task.Delay(settings.ReconnectDelay, _time, stop).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The cache is gone; what it noted as uncertain lives on only in the servers.
        }

        if (Interlocked.Exchange(ref _removed, 0) is > 0 and int removed)
        {
            node.Counters.AddReplayed(removed);
            Log.UncertainKeysReplayed(logger, node.Counters.Server, removed);
        }
    }

    /// <summary>Ends the run under the lock, so that a wake either sees it running or begins the next.</summary>
    private bool HasWork()
    {
        lock (_lock)
        {
            _isRunning = !stop.IsCancellationRequested && node.State == MemcachedNodeState.Up && (!node.UncertainWrites.IsEmpty || _mustCheckFence);
            if (!_isRunning)
            {
                // Some are of uncertain writes that newer ones have taken the place of.
                _removedAt.Clear();
            }

            return _isRunning;
        }
    }

    /// <summary>Marks as uncertain everything that the server has stored up to now, so that single keys need not be known.</summary>
    private async Task<bool> RenewFenceAsync()
    {
        // The fence is for this process alone. For the others what is remembered is removed, before it is forgotten; nothing is added meanwhile.
        if (!await RemoveAsync().ConfigureAwait(false))
        {
            return false;
        }

        // First, so that what fails during the pause is remembered and has a pause of its own.
        bool needsGrace = node.UncertainWrites.BeginAnew();
        _removedAt.Clear();
        await Task.Delay(needsGrace ? _grace : TimeSpan.Zero, _time, stop).ConfigureAwait(false);
        if (await ProbeAsync().ConfigureAwait(false) is not { } cas)
        {
            return false;
        }

        if (!node.UncertainWrites.TrySettleAll(cas))
        {
            return false;
        }

        Log.FenceRenewed(logger, node.Counters.Server);
        return true;
    }

    /// <summary>A server that counts from the beginning has lost what was uncertain, and new items must not pass for old ones.</summary>
    private async Task<bool> CheckFenceAsync()
    {
        lock (_lock)
        {
            if (!_mustCheckFence)
            {
                return true;
            }

            _mustCheckFence = false;
        }

        ulong fence = node.Fence.Value;
        ulong? cas = await ProbeAsync().ConfigureAwait(false);
        if (cas <= fence)
        {
            node.UncertainWrites.OpenFence(fence);
        }

        if (cas is null)
        {
            lock (_lock)
            {
                _mustCheckFence = true;
            }
        }

        return cas is not null;
    }

    /// <summary>The server's number of now. One that does not count (-C) has none: its items cannot be told apart, and it stays uncertain.</summary>
    private async Task<ulong?> ProbeAsync() => await node.ProbeCasAsync().ConfigureAwait(false) is > 0 and var cas ? cas : null;

    /// <summary>Removes what is due; true if every removal was answered.</summary>
    private async Task<bool> RemoveAsync()
    {
        bool all = true;
        long last = node.UncertainWrites.LastVersion;
        foreach (KeyValuePair<byte[], UncertainWrites.UncertainWrite>[] batch in node.UncertainWrites.Snapshot().Where(IsDue).Chunk(Concurrency))
        {
            OperationResult[] results = await Task.WhenAll(batch.Select(entry => DeleteAsync(entry.Key))).ConfigureAwait(false);
            for (int i = 0; i < batch.Length; i++)
            {
                if (results[i].Status is not (ResultStatus.Success or ResultStatus.Miss))
                {
                    all = false;
                }
                else if (IsLastRemoval(batch[i].Value) && node.UncertainWrites.Clear(batch[i]))
                {
                    Interlocked.Increment(ref _removed);
                }
            }
        }

        if (all)
        {
            Volatile.Write(ref _removedUpTo, last);
        }

        return all;
    }

    private bool IsDue(KeyValuePair<byte[], UncertainWrites.UncertainWrite> entry)
        => !_removedAt.TryGetValue(entry.Value.Version, out long at) || _time.GetElapsedTime(at) >= _grace;

    private bool IsLastRemoval(UncertainWrites.UncertainWrite write)
    {
        if (!write.MayOvertakeRemoval || _removedAt.Remove(write.Version))
        {
            return true;
        }

        _removedAt[write.Version] = _time.GetTimestamp();
        return false;
    }

    private Task<OperationResult> DeleteAsync(byte[] key)
        => node.Execute(new KeyRequest(OperationKind.Delete, WireKey.Of(key)), HashRing.Hash(key), ValueTarget.OwnArray, CallMode.Async, CancellationToken.None).AsTask();
}
