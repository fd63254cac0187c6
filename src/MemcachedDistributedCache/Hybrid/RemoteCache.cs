using System.Buffers;
using System.Runtime.CompilerServices;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The cluster's part of the cache: reads that take leases, and writes that are held against them. Nothing here throws for a
/// server's sake.
/// </summary>
internal sealed class RemoteCache(ICacheBackend backend, KeyEncoder keys, EntryLayout layout, HybridContext context)
{
    /// <summary>How often something that cannot be used is removed to make place, before the work goes on without a lease.</summary>
    public const int MaximumDiscards = 3;

    private readonly int _leaseSeconds = (int)Math.Ceiling(context.Options.LeaseTime.TotalSeconds);
    private readonly UntimedLeases _untimed = new(
        context.Options.LeaseTime + TimeSpan.FromSeconds(Expiration.ClockSlackSeconds + 1),
        context.IoTime);
    private readonly LogLimiter _unreadable = new();
    private int _saidNoCas;

    /// <summary>The leases that this process holds.</summary>
    public HeldLeases Leases { get; } = new();

    /// <summary>
    /// Asks for an entry, and to be told to make it if there is none. Not to be cancelled: a lease that is won by a request whose
    /// caller has left would hold everybody up.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<RemoteRead> LeaseAsync(byte[] key, bool withValue)
    {
        long sentAt = context.Now;
        Leases.Questions.Begin();
        try
        {
            OperationResult result = await backend
                .LeaseAsync(WireKey.Of(key), _leaseSeconds, withValue, EntryFormat.NewFlagsOf(EntryKind.Lease), CancellationToken.None)
                .ConfigureAwait(false);
            if (result.Status != ResultStatus.Success)
            {
                // A miss is an uncertain key, or a server without room for the placeholder: there is nothing to hold a store against.
                return new RemoteRead(RemoteState.Unavailable, sentAt) { IsTimedOut = IsTimedOut(result) };
            }

            if (!result.CasToken.IsKnown)
            {
                NoteNoCas();
                return new RemoteRead(RemoteState.Unavailable, sentAt);
            }

            if (result.Lease == LeaseState.Won && result.Length <= 0 && !result.IsUnreadable)
            {
                return new RemoteRead(RemoteState.Won, sentAt) { Lease = await HoldAsync(key, result.CasToken).ConfigureAwait(false) };
            }

            bool isUntimed = result.TimeToLive == OperationResult.UnknownTimeToLive;
            if (Lease.IsHeld(result) && !(isUntimed && _untimed.IsNobodys(key, result.CasToken)))
            {
                return new RemoteRead(RemoteState.Taken, sentAt) { CasToken = result.CasToken };
            }

            return withValue
                ? Read(key, result, sentAt)
                : new RemoteRead(RemoteState.Unread, sentAt) { CasToken = result.CasToken, MayBeReplaced = !result.IsUnreadable };
        }
        finally
        {
            Leases.Questions.End();
        }
    }

    /// <summary>Asks for an entry and leaves no trace where there is none.</summary>
    public async ValueTask<RemoteRead> GetAsync(byte[] key)
    {
        long sentAt = context.Now;
        OperationResult result = await backend
            .GetAsync(WireKey.Of(key), ReadRequirements.CasToken, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None)
            .ConfigureAwait(false);
        return result.Status switch
        {
            ResultStatus.Success when Lease.IsLease(result.Flags) || Lease.MayBeNew(result) => new RemoteRead(RemoteState.Absent, sentAt),
            ResultStatus.Success => Read(key, result, sentAt),
            ResultStatus.Miss => new RemoteRead(RemoteState.Absent, sentAt),
            _ => new RemoteRead(RemoteState.Unavailable, sentAt) { IsTimedOut = IsTimedOut(result) },
        };
    }

    /// <summary>An entry is still in a state; no value is moved.</summary>
    public async ValueTask<RemoteState> LookAsync(byte[] key, CasToken casToken)
    {
        context.Counters.Add(HybridEvent.Revalidated);
        OperationResult result = await backend
            .InspectAsync(WireKey.Of(key), withCas: true, CallMode.Async, CancellationToken.None)
            .ConfigureAwait(false);
        return result.Status switch
        {
            ResultStatus.Success when result.IsUnreadable => RemoteState.Changed,
            ResultStatus.Success when result.CasToken == casToken => RemoteState.Entry,
            ResultStatus.Success => result.Origin == casToken.Origin ? RemoteState.Changed : RemoteState.Unread,
            ResultStatus.Miss => RemoteState.Absent,
            _ => IsTimedOut(result) ? RemoteState.Unanswered : RemoteState.Unavailable,
        };
    }

    /// <summary>
    /// Takes the lease for refreshing an entry that is there, if nobody has it and the entry is still the one that was read.
    /// </summary>
    public async ValueTask<(RemoteState State, Lease? Lease)> LeaseRefreshAsync(string key, byte[] wireKey, CasToken casToken)
    {
        byte[] leaseKey = keys.Encode(key, HybridSpace.Lease);
        RemoteRead read = await LeaseAsync(leaseKey, withValue: false).ConfigureAwait(false);
        for (int discards = 0; read.State == RemoteState.Unread && discards < MaximumDiscards; discards++)
        {
            // Something under the lease's key that is nobody's lease: nobody would ever end what it stands for.
            _ = Discard(leaseKey, read.CasToken);
            read = await LeaseAsync(leaseKey, withValue: false).ConfigureAwait(false);
        }

        if (read.State != RemoteState.Won)
        {
            return (read.State == RemoteState.Unavailable ? RemoteState.Unavailable : RemoteState.Taken, null);
        }

        // Whoever had the lease before may have done the work.
        Lease lease = read.Lease!;
        RemoteState now = await LookAsync(wireKey, casToken).ConfigureAwait(false);
        if (now is RemoteState.Entry or RemoteState.Unavailable or RemoteState.Unanswered)
        {
            return (RemoteState.Won, lease);
        }

        await lease.ReleaseAsync().ConfigureAwait(false);
        return (RemoteState.Changed, null);
    }

    /// <summary>A lease that was won; given back at once where the cache is about to end.</summary>
    private async ValueTask<Lease> HoldAsync(byte[] key, CasToken casToken)
    {
        context.Counters.Add(HybridEvent.LeaseWon);
        var lease = new Lease(backend, key, casToken, _leaseSeconds, Leases, context.IoTime);
        Leases.Add(lease);
        if (Leases.IsClosed)
        {
            await lease.ReleaseAsync().ConfigureAwait(false);
        }

        return lease;
    }

    /// <summary>
    /// Removes what cannot be used, if it is still that. Not waited for: what is asked next comes after it on the same connection.
    /// </summary>
    public Task Discard(byte[] key, CasToken casToken) => backend.DeleteAsync(WireKey.Of(key), casToken, CancellationToken.None).AsTask();

    /// <summary>Stores an entry: over the state of a CAS token, or over whatever is there.</summary>
    public async ValueTask<OperationResult> StoreAsync(byte[] key, ReadOnlyMemory<byte> item, long lifetimeMilliseconds, CasToken? casToken)
    {
        TimeSpan lifetime = TimeSpan.FromMilliseconds(lifetimeMilliseconds) + context.Options.ServerRetention;

        // Over 30 days it is a date, which the server holds against its own clock, and so against the system's.
        int wireTime = Expiration.WireTimeOf(lifetime, context.IoTime.GetUtcNow());
        uint flags = EntryFormat.NewFlagsOf(EntryKind.HybridEntry);
        var entry = new Item(default, new ReadOnlySequence<byte>(item), flags, wireTime, int.MaxValue)
        {
            CasToken = casToken,
            ReturnsCas = true,
        };
        OperationResult result = await backend
            .StoreAsync(WireKey.Of(key), entry, CallMode.Async, CancellationToken.None)
            .ConfigureAwait(false);
        if (result.Status == ResultStatus.TooLarge)
        {
            context.Counters.Add(HybridEvent.OversizeRejected);
            HybridLog.HybridValueTooLarge(context.Logger, item.Length);
        }

        return result;
    }

    /// <summary>Removes an entry, or the placeholder of one that is being made.</summary>
    public Task RemoveAsync(string key)
        => backend.DeleteAsync(WireKey.Of(keys.Encode(key, HybridSpace.Entry)), CallMode.Async, CancellationToken.None).AsTask();

    private RemoteRead Read(byte[] key, in OperationResult result, long sentAt)
    {
        if (!result.IsUnreadable
            && EntryFormat.IsOf(result.Flags, EntryKind.HybridEntry)
            && result.Value is { } item
            && layout.TryRead(item, key, result.CasToken) is { } entry)
        {
            return new RemoteRead(RemoteState.Entry, sentAt) { Entry = entry, CasToken = result.CasToken };
        }

        if (!result.IsUnreadable)
        {
            context.Counters.Add(HybridEvent.DeserializationFailed);
            if (_unreadable.TryPass(out long suppressed))
            {
                LayoutLog.EntryNotReadable(context.Logger, result.Flags, result.Length, suppressed);
            }
        }

        return new RemoteRead(RemoteState.Unread, sentAt) { CasToken = result.CasToken };
    }

    private static bool IsTimedOut(in OperationResult result) => result.Failure?.Reason == MemcachedFailureReason.TimedOut;

    private void NoteNoCas()
    {
        if (Interlocked.Exchange(ref _saidNoCas, 1) == 0)
        {
            HybridLog.HybridNeedsCas(context.Logger);
        }
    }
}
