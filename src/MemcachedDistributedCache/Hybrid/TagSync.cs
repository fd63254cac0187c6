using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Reads the versions of tags from the cluster and delivers those of invalidations: of each tag one read at a time,
/// which all who want it share, and one delivery after the other. A missing version is replaced by one that never was.
/// </summary>
internal sealed class TagSync(ICacheBackend backend, HybridContext context)
{
    /// <summary>memcached takes this as seconds, and anything longer as a date.</summary>
    private const int TimeToLive = 30 * 24 * 60 * 60;

    private const int MaximumAttempts = 4;

    /// <summary>The refresh that is under way, or a new one.</summary>
    public Task Refresh(TagState state) => RefreshSince(state, -1);

    /// <summary>The same; one that began after so many others had will do, also if it has ended.</summary>
    public Task RefreshSince(TagState state, int begun)
    {
        Task refresh = state.JoinRefresh(out TaskCompletionSource? mine, begun);
        if (mine is not null)
        {
            _ = EndAsync(RefreshAsync(state), mine);
        }

        return refresh;
    }

    /// <summary>Delivers what is not delivered, after the delivery that is under way.</summary>
    public Task Deliver(TagState state)
    {
        Task delivery = state.JoinDelivery(out TaskCompletionSource? mine, out Task before);
        if (mine is not null)
        {
            _ = EndAsync(DeliverAsync(state, before), mine);
        }

        return delivery;
    }

    private static async Task EndAsync(Task work, TaskCompletionSource done)
    {
        try
        {
            await work.ConfigureAwait(false);
        }
        finally
        {
            done.SetResult();
        }
    }

    private async Task RefreshAsync(TagState state)
    {
        for (int attempt = 0; attempt < MaximumAttempts; attempt++)
        {
            if (state.IsRetired)
            {
                return;
            }

            if (state.IsPending)
            {
                await Deliver(state).ConfigureAwait(false);
                return;
            }

            context.Counters.Add(HybridEvent.TagRead);
            long sentAt = context.Now;
            int epoch = state.Epoch;
            const ReadRequirements Needs = ReadRequirements.CasToken | ReadRequirements.SinceOutage;
            OperationResult read = await backend.GetFromAsync(state.Node, WireKey.Of(state.WireKey), Needs).ConfigureAwait(false);
            if (read.Status is not (ResultStatus.Success or ResultStatus.Miss))
            {
                break;
            }

            if (TryRead(read, out TagVersion? version) && state.TryAccept(version, sentAt, epoch))
            {
                ExtendTimeToLive(state, version, read);
                return;
            }

            if (epoch != state.Epoch)
            {
                return;
            }

            // There is none, or one that was superseded, and has come back with a server that was away. What takes its place has
            // never been.
            var next = TagVersion.Create(context.Time);
            // A version that is there and may not be read, because its key or its server is uncertain, is replaced whatever it is.
            bool isMiss = read.Status == ResultStatus.Miss;
            bool onlyIfAbsent = isMiss && attempt < MaximumAttempts / 2;
            OperationResult stored = await StoreAsync(state, next, isMiss ? null : read.CasToken, onlyIfAbsent).ConfigureAwait(false);
            if (stored.Status == ResultStatus.Success)
            {
                state.TryAccept(next, sentAt, epoch);
                return;
            }

            if (stored.Status == ResultStatus.Failed)
            {
                break;
            }
        }

        state.NoteUnanswered(TagVersion.Create(context.Time), context.Now);
    }

    private async Task DeliverAsync(TagState state, Task before)
    {
        await before.ConfigureAwait(false);
        if (state.BeginDelivery(TagVersion.Create(context.Time)) is not (TagVersion version, int epoch))
        {
            return;
        }

        // What is there is read on the way, so that it is known for dead should a server ever bring it back; and in order, or it
        // might be the new one.
        long sentAt = context.Now;
        ValueTask<OperationResult> reading = backend.GetFromAsync(state.Node, WireKey.Of(state.WireKey), ReadRequirements.InOrder);
        ValueTask<OperationResult> storing = StoreAsync(state, version, null, onlyIfAbsent: false);
        if (TryRead(await reading.ConfigureAwait(false), out TagVersion? there))
        {
            state.NoteDead(there);
        }

        OperationResult stored = await storing.ConfigureAwait(false);
        if (stored.Status == ResultStatus.Success)
        {
            state.NoteDelivered(version, epoch, sentAt);
            return;
        }

        // The old version is removed from the server before this process reads it again, and the new one is delivered
        // with the next refresh.
        state.NoteUnanswered(version, context.Now);
    }

    private ValueTask<OperationResult> StoreAsync(TagState state, TagVersion version, CasToken? casToken, bool onlyIfAbsent)
    {
        var item = new Item(
            default,
            new ReadOnlySequence<byte>(version.ToArray()),
            EntryFormat.FlagsOf(EntryKind.TagVersion),
            TimeToLive,
            TagVersion.Length)
        {
            CasToken = casToken,
            OnlyIfAbsent = onlyIfAbsent,
        };
        return backend.StoreOnAsync(state.Node, WireKey.Of(state.WireKey), item);
    }

    /// <summary>
    /// A tag that is in use lives on: a version that ends takes all entries with it. Not on a gutter node, where nothing lives
    /// longer than it may: who has not seen that the owner is back would go by the old version for ever.
    /// </summary>
    private void ExtendTimeToLive(TagState state, TagVersion version, in OperationResult read)
    {
        bool isDue = read.TimeToLive == OperationResult.UnknownTimeToLive
            ? version.IsOlderThan(TimeToLive / 2, context.UnixTime) && state.TryBeginExtension(context.Time)
            : read.TimeToLive is >= 0 and < TimeToLive / 2;
        if (!read.IsOfGutter && isDue)
        {
            _ = StoreAsync(state, version, read.CasToken, onlyIfAbsent: false).AsTask();
        }
    }

    private static bool TryRead(in OperationResult read, [NotNullWhen(true)] out TagVersion? version)
    {
        version =
            read is { Status: ResultStatus.Success, Length: TagVersion.Length, Value: { } bytes }
            && read.Flags == EntryFormat.FlagsOf(EntryKind.TagVersion)
                ? TagVersion.Read(bytes)
                : null;
        return version is not null;
    }
}
