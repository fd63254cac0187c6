using System.Buffers;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The right to make a value, held against all processes: an empty item in a state that only its holder knows. While the factory
/// runs the item is stored anew, on the condition that it is still in that state; so a lease that was lost, to a removal, a set or
/// another holder, is never taken back. A holder that dies renews nothing, and the item runs out.
/// </summary>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free.
internal sealed class Lease(ICacheBackend backend, byte[] key, CasToken casToken, int seconds, HeldLeases leases, TimeProvider ioTime)
#pragma warning restore CA1001
{
    /// <summary>The client flags of a lease, but for the bits that differ from one to the next; those of a new one may be 0.</summary>
    public static uint Flags { get; } = EntryFormat.FlagsOf(EntryKind.Lease);

    /// <summary>
    /// The longest that a lease lives without being renewed, whatever another process has for <see
    /// cref="MemcachedHybridCacheOptions.LeaseTime"/>.
    /// </summary>
    public const int LongestSeconds = 600;

    private readonly CancellationTokenSource _ended = new();
    private CasToken? _casToken = casToken;
    private Task _renewing = Task.CompletedTask;
    private Task<bool>? _release;

    /// <summary>
    /// A reply tells of a lease that somebody else holds: an empty item as new leases are (told by <c>Z</c>, without client
    /// flags) or as renewed ones, and which ends by itself. Another program may have left an empty item that never ends, or a value
    /// that it has marked as being made: those are no leases, and nobody waits for them.
    /// </summary>
    public static bool IsHeld(in OperationResult reply)
        => !reply.IsUnreadable
            && reply.Length <= 0
            && reply.TimeToLive is (>= 0 and <= LongestSeconds) or OperationResult.UnknownTimeToLive
            && (IsLease(reply.Flags) || (reply.Flags == 0 && reply.Lease == LeaseState.Taken));

    /// <summary>Client flags are those of a lease.</summary>
    public static bool IsLease(uint flags) => EntryFormat.IsOf(flags, EntryKind.Lease);

    /// <summary>
    /// An item that was read by a classic command is empty, as a lease is that a process with meta commands has just won: they alone
    /// tell such an item from another.
    /// </summary>
    public static bool MayBeNew(in OperationResult read)
        => read is { Flags: 0, Length: 0, TimeToLive: OperationResult.UnknownTimeToLive };

    /// <summary>Begins to renew the lease.</summary>
    /// <param name="turns">How many leases may be renewed at once, for those that were won together and come due together.</param>
    public void Begin(SemaphoreSlim? turns = null)
    {
        using (FlowGuard.Suppress())
        {
            _renewing = RenewAsync(turns);
        }
    }

    /// <summary>
    /// Ends renewing, and gives the state that the holder's store is conditional on; null if the lease is lost or nobody knows.
    /// </summary>
    public async ValueTask<CasToken?> EndAsync()
    {
        _ended.Cancel();
        await _renewing.ConfigureAwait(false);
        return _casToken;
    }

    /// <summary>
    /// Gives the lease back, so that the next who asks wins it. All who call this wait for the one deletion: the cache
    /// that ends, and the maker that it has cancelled.
    /// </summary>
    /// <returns>It was held until now: nobody has removed or set the key since it was won, as far as the server tells.</returns>
    public async ValueTask<bool> ReleaseAsync()
    {
        var mine = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _release, mine.Task, null) is { } others)
        {
            return await others.ConfigureAwait(false);
        }

        bool wasHeld = false;
        try
        {
            if (await EndAsync().ConfigureAwait(false) is { } held)
            {
                _casToken = null;
                wasHeld =
                    (await backend.DeleteAsync(WireKey.Of(key), held, CancellationToken.None).ConfigureAwait(false)).Status
                    == ResultStatus.Success;
            }
        }
        finally
        {
            Forget();
            mine.SetResult(wasHeld);
        }

        return wasHeld;
    }

    /// <summary>Nothing is left to be given back: the value has been stored in the lease's place.</summary>
    public void Forget() => leases.Remove(this);

    private async Task RenewAsync(SemaphoreSlim? turns)
    {
        // The server counts whole seconds and may end the item almost two early; within what is left there is room for a second try.
        TimeSpan pause = TimeSpan.FromSeconds(Math.Max(0.25, (seconds - 2) / 3d));
        while (true)
        {
            try
            {
                await Task.Delay(pause, ioTime, _ended.Token).ConfigureAwait(false);
                await (turns?.WaitAsync(_ended.Token) ?? Task.CompletedTask).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            OperationResult renewed;
            try
            {
                renewed = await backend
                    .StoreAsync(WireKey.Of(key), Placeholder(_casToken!.Value), CallMode.Async, CancellationToken.None)
                    .ConfigureAwait(false);
            }
            finally
            {
                turns?.Release();
            }

            if (renewed.Status == ResultStatus.Success && renewed.CasToken.IsKnown)
            {
                _casToken = renewed.CasToken;
            }
            else if (renewed.Status != ResultStatus.Failed || renewed.Failure!.WasSent)
            {
                // Lost; or renewed without our hearing of the new state, which is as good as lost. One that was refused without the
                // server being asked is given back.
                CasToken lost = _casToken.Value;
                _casToken = null;
                if (renewed.Status == ResultStatus.Conflict)
                {
                    await backend.DeleteAsync(WireKey.Of(key), lost, CancellationToken.None).ConfigureAwait(false);
                }

                return;
            }
        }
    }

    private Item Placeholder(CasToken held)
        => new(default, ReadOnlySequence<byte>.Empty, EntryFormat.NewFlagsOf(EntryKind.Lease), seconds, int.MaxValue)
        {
            CasToken = held,
            ReturnsCas = true,
            IsPlaceholder = true,
        };
}
