using System.Buffers;
using System.Buffers.Text;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// The requests of a change. An increment, an append or a mark gives an item a new CAS, and an item that a fence kept from being read
/// would pass every fence then. So while a fence is set such a change looks first: an item that may not be read is deleted in that
/// state, and the change goes on as if nothing were there. No request is sent again once it may have been sent.
/// </summary>
internal static class ItemSteps
{
    /// <summary>How often a step begins anew because somebody else has changed the item between two requests.</summary>
    private const int MostRounds = 4;

    /// <summary>An item in this state may be read, and built on.</summary>
    public static bool Admits(in Route route, Node node, ulong cas) => route.Admits(cas) && node.Consistency.Fences.WholeNode.Admits(cas);

    /// <summary>Sends a store.</summary>
    public static ValueTask<OperationResult> Send(in Context context, WireKey key, in Put put, ReadOnlySequence<byte> value)
    {
        var request = new PutRequest(key, put.Mode, value, put.TimeToLive, put.Flags)
        {
            Cas = put.CasToken?.Cas ?? 0,
            VivifyTimeToLive = put.VivifyTimeToLive,
            RecordsUncertain = context.RemovesIfUncertain,
        };
        return put.CasToken is { } casToken ? context.ExecuteOn(casToken.Origin, request, key) : context.Execute(request, key);
    }

    /// <summary>Sends a change of a number.</summary>
    public static ValueTask<OperationResult> Send(in Context context, WireKey key, in MetaRequests.NumberChange change)
        => context.Execute(new IncrementRequest(key, change, context.RemovesIfUncertain), key);

    /// <summary>Sends a deletion or a mark.</summary>
    public static ValueTask<OperationResult> Send(in Context context, WireKey key, CasToken? casToken, int? staleTimeToLive)
        => (casToken, staleTimeToLive) switch
        {
            ({ } state, { } seconds) => context.ExecuteOn(state.Origin, new MarkStaleRequest(key, seconds, state.Cas), key),
            (null, { } seconds) => context.Execute(new MarkStaleRequest(key, seconds, 0), key),
            ({ } state, null) => context.ExecuteOn(state.Origin, new ConditionalDeleteRequest(key, state.Cas), key),
            _ => context.Execute(new KeyRequest(OperationKind.Delete, key) { IsReplay = !context.RemovesIfUncertain }, key),
        };

    /// <summary>Stores when the key is clean, and makes the item that an append does not find.</summary>
    public static async ValueTask<OperationResult> PutAsync(Context context, byte[] key, Put put, byte[] value, bool isPlain)
    {
        if (await PrepareAsync(context, key, looks: !isPlain).ConfigureAwait(false) is { } obstacle)
        {
            return obstacle;
        }

        OperationResult result = await SendAsync(put).ConfigureAwait(false);
        if (put.VivifyTimeToLive is not { } timeToLive || put.CasToken is not null)
        {
            return result;
        }

        // NOT_STORED tells that there was no item: of a server too old to make it, or asked by classic commands.
        Put add = put with { Mode = StoreMode.Add, TimeToLive = timeToLive };
        for (int round = 0; round < MostRounds && result.Status == ResultStatus.Conflict; round++)
        {
            result = await SendAsync(round % 2 == 0 ? add : put).ConfigureAwait(false);
        }

        return result;

        ValueTask<OperationResult> SendAsync(in Put step) => Send(context, WireKey.Of(key), step, new ReadOnlySequence<byte>(value));
    }

    /// <summary>Changes a number when the key is clean, and makes the item that a classic command does not find.</summary>
    public static async ValueTask<OperationResult> ChangeNumberAsync(Context context, byte[] key, MetaRequests.NumberChange change)
    {
        if (await PrepareAsync(context, key, looks: true).ConfigureAwait(false) is { } obstacle)
        {
            return obstacle;
        }

        OperationResult result = await Send(context, WireKey.Of(key), change).ConfigureAwait(false);
        for (int round = 0; round < MostRounds && change.Initial is { } initial && result.Status == ResultStatus.Miss; round++)
        {
            OperationResult added = await AddAsync(initial).ConfigureAwait(false);
            if (added.Status != ResultStatus.Conflict)
            {
                return added.Status == ResultStatus.Success ? added with { Number = initial } : added;
            }

            result = await Send(context, WireKey.Of(key), change).ConfigureAwait(false);
        }

        return result;

        ValueTask<OperationResult> AddAsync(ulong number)
        {
            byte[] digits = new byte[IncomingValue.LongestNumber];
            Utf8Formatter.TryFormat(number, digits, out int length);
            var put = new Put(StoreMode.Add, change.TimeToLive, null, 0, null);
            return Send(context, WireKey.Of(key), put, new ReadOnlySequence<byte>(digits, 0, length));
        }
    }

    /// <summary>Marks an item as old when the key is clean.</summary>
    public static async ValueTask<OperationResult> MarkStaleAsync(Context context, byte[] key, CasToken? casToken, int staleTimeToLive)
        => await PrepareAsync(context, key, looks: true).ConfigureAwait(false)
            ?? await Send(context, WireKey.Of(key), casToken, staleTimeToLive).ConfigureAwait(false);

    /// <summary>
    /// Sees that a change builds on nothing that may not be read. Null when it may go on; otherwise the result of a change that was not
    /// sent.
    /// </summary>
    private static async ValueTask<OperationResult?> PrepareAsync(Context context, byte[] key, bool looks)
    {
        if (context.IgnoresFences)
        {
            return null;
        }

        if (context.Node.Consistency.IsUncertain(key))
        {
            // The removal that makes up for an earlier change would take this one with it. To remove the key here would not hold back a
            // removal that is about to be sent: so this change is not sent before the key is certain, and is tried again in a moment.
            return context.Unsent(default);
        }

        for (int round = 0; looks && context.IsFenced; round++)
        {
            if (context.IsClosed || round == MostRounds)
            {
                // Nothing tells yet what may be read: to delete it would take away what others have just counted.
                return context.Unsent(default);
            }

            OperationResult seen = await context
                .Execute(new KeyRequest(OperationKind.Inspect, WireKey.Of(key)) { WithCas = true }, key)
                .ConfigureAwait(false);
            if (seen.Status == ResultStatus.Miss || (seen.Status == ResultStatus.Success && Admits(context.Route, context.Node, seen.Cas)))
            {
                return null;
            }

            if (seen.Status != ResultStatus.Success || seen.Cas == 0)
            {
                return context.Unsent(seen);
            }

            OperationResult deleted = await context
                .ExecuteOn(seen.Origin, new ConditionalDeleteRequest(WireKey.Of(key), seen.Cas), key)
                .ConfigureAwait(false);
            if (deleted.Status is ResultStatus.Success or ResultStatus.Miss)
            {
                return null;
            }

            if (deleted.Status != ResultStatus.Conflict)
            {
                return context.Unsent(deleted);
            }
        }

        return null;
    }

    /// <summary>A store without its value.</summary>
    /// <param name="Mode">What becomes of the item that is there.</param>
    /// <param name="TimeToLive">The time to live.</param>
    /// <param name="VivifyTimeToLive">That of the item that an append makes.</param>
    /// <param name="Flags">The client flags.</param>
    /// <param name="CasToken">The state that the item must be in.</param>
    internal readonly record struct Put(StoreMode Mode, int TimeToLive, int? VivifyTimeToLive, uint Flags, CasToken? CasToken)
    {
        /// <summary>The same with a shorter life.</summary>
        public Put WithTimeToLiveUpTo(int seconds) => this with
        {
            TimeToLive = Math.Min(TimeToLive, seconds),
            VivifyTimeToLive = VivifyTimeToLive is { } own ? Math.Min(own, seconds) : null,
        };
    }

    /// <summary>Where a change goes, and how.</summary>
    /// <param name="Route">The way to the node.</param>
    /// <param name="Node">The node.</param>
    /// <param name="Policy">What is done besides.</param>
    /// <param name="Mode">How the caller waits.</param>
    /// <param name="CancellationToken">The caller has left.</param>
    internal readonly record struct Context(Route Route, Node Node, ChangePolicy Policy, CallMode Mode, CancellationToken CancellationToken)
    {
        private CasFence WholeNode => Node.Consistency.Fences.WholeNode;

        /// <summary>A lost answer makes the key uncertain.</summary>
        public bool RemovesIfUncertain => (Policy & ChangePolicy.RemoveIfUncertain) != ChangePolicy.None;

        /// <summary>Fences say nothing to this change.</summary>
        public bool IgnoresFences => (Policy & ChangePolicy.IgnoreFences) != ChangePolicy.None;

        /// <summary>There may be items here that are not to be read.</summary>
        public bool IsFenced => Route.Fence?.IsSet == true || Route.MoreFences is not null || WholeNode.IsSet;

        /// <summary>Nothing is to be read here, for the time being.</summary>
        public bool IsClosed => !Admits(Route, Node, ulong.MaxValue);

        /// <summary>
        /// A store of a whole value has to have the key cleaned first. Not one that is recorded itself: such a store settles the key.
        /// </summary>
        public bool NeedsCleaning(WireKey key) => !RemovesIfUncertain && !IgnoresFences && Node.Consistency.IsUncertain(key);

        /// <summary>A change that builds on what is there has to look at that.</summary>
        public bool NeedsLook(WireKey key) => !IgnoresFences && (IsFenced || Node.Consistency.IsUncertain(key));

        /// <summary>Sends a request.</summary>
        public ValueTask<OperationResult> Execute<TRequest>(scoped in TRequest request, ReadOnlySpan<byte> key)
            where TRequest : struct, IRequest, allows ref struct
            => Node.Execute(request, HashRing.Hash(key), ValueTarget.OwnArray, Mode, CancellationToken);

        /// <summary>Sends a request that is held against a state that <paramref name="origin"/> has told.</summary>
        public ValueTask<OperationResult> ExecuteOn<TRequest>(object? origin, scoped in TRequest request, ReadOnlySpan<byte> key)
            where TRequest : struct, IRequest, allows ref struct
            => Node.ExecuteOnOrigin(origin, request, HashRing.Hash(key), Mode, CancellationToken);

        /// <summary>The result of a change that was not sent, because what comes before it did not succeed.</summary>
        public OperationResult Unsent(in OperationResult before) => before switch
        {
            { Status: ResultStatus.Canceled } => before,
            { Status: ResultStatus.Failed, Failure: { } failure } => OperationResult.Failed(failure with { WasSent = false }),
            _ => OperationResult.Failed(Node.Counters.Unavailable),
        };
    }
}
