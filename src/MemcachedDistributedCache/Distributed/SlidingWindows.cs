using System.Buffers.Binary;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// Keeps sliding entries alive. A read asks for the remaining seconds along with the value, and only when they are fewer than the
/// window, which changes once a second, a touch follows that nobody waits for.
/// <para>
/// Classic commands do not tell the remaining seconds. There an entry that is read is touched once a second by this process.
/// </para>
/// <para>
/// Between the read and the touch another client may have stored another entry, whose time to live the touch then spoils. The touch
/// therefore reports the flags of the item it met: the same flags mean the same window, so no harm was done; other flags are put right.
/// </para>
/// </summary>
internal sealed class SlidingWindows(ICacheBackend backend, EntryStoreSettings settings, TimeProvider timeProvider, TimeProvider ioTime)
{
    /// <summary>How often an entry that keeps changing under the hand is put right.</summary>
    private const int MaximumRepairs = 3;

    /// <summary>How many requests a refresh makes, one after the other, where nobody changes the entry meanwhile.</summary>
    public const int RequestsPerRefresh = 2;

    private readonly TouchGate _gate = new();

    /// <summary>Moves the window of an entry that was just read, if it is due, without waiting.</summary>
    public void MoveBehind(KeyEncoder keys, string key, EntryFormat format, in OperationResult read, long leftMilliseconds)
    {
        // One that surely outlives its deadline needs nothing.
        long remaining = read.TimeToLive;
        if (format.SlidingSeconds == 0 || !IsDue(read, format) || (remaining - Expiration.ClockSlackSeconds) * 1000 >= leftMilliseconds)
        {
            return;
        }

        Span<byte> buffer = stackalloc byte[MetaRequests.MaximumKeyLength];
        WireKey wireKey = keys.Encode(key, buffer);
        if (_gate.TryEnter(Mark(wireKey), read.Sequence, MomentOf(read)) is not { } gate)
        {
            return;
        }

        // Asynchronous for every caller: a synchronous one has its value and shall not wait for the touch.
        ValueTask<OperationResult> touch = backend.TouchAsync(wireKey, WholeWindow(format, read), CallMode.Async, CancellationToken.None);
        _ = FinishAsync(touch, keys, key, read.Flags, gate);
    }

    /// <summary>Gives a sliding entry its whole window again; any other is left alone.</summary>
    public async Task<OperationResult> RefreshAsync(KeyEncoder keys, string key, CallMode mode, CancellationToken cancellationToken)
    {
        OperationResult seen = await Inspect(keys, key, mode, cancellationToken).ConfigureAwait(false);
        if (seen.Status != ResultStatus.Success
            || !EntryFormat.TryRead(seen.Flags, out EntryFormat format)
            || format.SlidingSeconds == 0
            || !IsDue(seen, format))
        {
            return seen;
        }

        // Once sent, a touch may have met another entry; it is followed to its end even when the caller has lost interest.
        OperationResult touched = await Touch(keys, key, WholeWindow(format, seen), mode).ConfigureAwait(false);
        return await RepairAsync(touched, keys, key, seen.Flags, mode).ConfigureAwait(false);
    }

    /// <summary>Less than the whole window is left, or may be; an item that never expires is none of ours.</summary>
    private static bool IsDue(in OperationResult seen, EntryFormat format)
        => seen.TimeToLive == OperationResult.UnknownTimeToLive
            || (seen.TimeToLive >= 0 && seen.TimeToLive < format.SlidingSeconds + Expiration.ClockSlackSeconds);

    /// <summary>
    /// The time to live that gives an entry its whole window again. Where no server tells what is left an entry is touched once in
    /// <see cref="TouchGate.Interval"/>, and has as much more.
    /// </summary>
    private int WholeWindow(EntryFormat format, in OperationResult seen)
    {
        bool isUnknown = seen.TimeToLive == OperationResult.UnknownTimeToLive;
        int more = isUnknown ? (int)TouchGate.Interval.TotalSeconds : 0;
        return Expiration.WireTimeOfWindow(format.SlidingSeconds + more, ioTime.GetUtcNow());
    }

    private TouchGate.Moment MomentOf(in OperationResult read)
        => read.TimeToLive == OperationResult.UnknownTimeToLive ? TouchGate.Moment.Now(TouchGate.ItemOf(read), ioTime) : default;

    private async Task FinishAsync(ValueTask<OperationResult> touch, KeyEncoder keys, string key, uint flags, TouchGate.Touch gate)
    {
        OperationResult touched = await touch.ConfigureAwait(false);
        bool isDone = touched.Status == ResultStatus.Success;
        TouchGate.Leave(gate, isDone ? touched.Sequence : 0, isDone && touched.Flags == flags ? TouchGate.ItemOf(touched) : 0);
        await RepairAsync(touched, keys, key, flags, CallMode.Async).ConfigureAwait(false);
    }

    /// <summary>If the touch met another entry than the one it was for, sets that entry's time to live as its own format has it.</summary>
    private async Task<OperationResult> RepairAsync(OperationResult touched, KeyEncoder keys, string key, uint flags, CallMode mode)
    {
        // Another window is told by the flags; another deadline, in a second change during the repair, only by the CAS.
        bool metAnother = touched.Flags != flags;
        for (int i = 0; i < MaximumRepairs && touched.Status == ResultStatus.Success && metAnother; i++)
        {
            OperationResult met = await Get(keys, key, mode).ConfigureAwait(false);
            if (met.Status != ResultStatus.Success)
            {
                return met;
            }

            touched = await Touch(keys, key, TimeToLiveOf(met), mode).ConfigureAwait(false);
            metAnother = touched.Cas != met.Cas;
        }

        return touched;
    }

    private int TimeToLiveOf(in OperationResult entry)
    {
        DateTimeOffset serverNow = ioTime.GetUtcNow();
        if (!EntryFormat.TryRead(entry.Flags, out EntryFormat format) || format is { HasDeadline: false, SlidingSeconds: 0 })
        {
            return Expiration.WireTimeOf(settings.DefaultTimeToLive, serverNow);
        }

        if (format.SlidingSeconds != 0)
        {
            return WholeWindow(format, entry);
        }

        return !StoredTime.IsDeadline(entry.Prefix)
            ? Expiration.WireTimeOf(settings.DefaultTimeToLive, serverNow)
            : Expiration.WireTimeOf(TimeSpan.FromMilliseconds(entry.Prefix - timeProvider.GetUtcNow().ToUnixTimeMilliseconds()), serverNow);
    }

    private ValueTask<OperationResult> Get(KeyEncoder keys, string key, CallMode mode)
        => backend.GetAsync(
            keys.Encode(key, stackalloc byte[MetaRequests.MaximumKeyLength]),
            ReadRequirements.CasToken,
            ValueTarget.OwnArray,
            mode,
            CancellationToken.None);

    private ValueTask<OperationResult> Inspect(KeyEncoder keys, string key, CallMode mode, CancellationToken cancellationToken)
        => backend.InspectAsync(keys.Encode(key, stackalloc byte[MetaRequests.MaximumKeyLength]), withCas: false, mode, cancellationToken);

    private ValueTask<OperationResult> Touch(KeyEncoder keys, string key, int timeToLive, CallMode mode)
        => backend.TouchAsync(keys.Encode(key, stackalloc byte[MetaRequests.MaximumKeyLength]), timeToLive, mode, CancellationToken.None);

    /// <summary>64 bits of the key, never 0. FNV-1a: a collision costs one second's touch, so speed is all that counts.</summary>
    private static ulong Mark(ReadOnlySpan<byte> key)
    {
        ulong hash = 14695981039346656037;
        foreach (byte b in key)
        {
            hash = (hash ^ b) * 1099511628211;
        }

        return hash | 1;
    }
}
