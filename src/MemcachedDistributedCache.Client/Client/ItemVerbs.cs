using System.Buffers;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// The verbs of the typed client: all of memcached, with results that tell what happened. The node is found by a hash of the caller's
/// (<c>routeHash</c>), the connection on it by the key's own, so that whatever is asked of a key comes in order. With <see
/// cref="CallMode.Sync"/> a result is there when the method returns.
/// <para>
/// The plain case is one request. What needs more of them is in <see cref="ItemSteps"/>: a change that builds on an item which may not
/// be read, and what the server's dialect has no single command for.
/// </para>
/// </summary>
internal static class ItemVerbs
{
    /// <summary>
    /// Reads an item as it is, or touches it: the value is raw, whatever its flags say, and marks of other clients (stale, leased) are
    /// told and hide nothing. An item that a fence does not admit is a miss. One that is larger than what is kept is <see
    /// cref="ResultStatus.TooLarge"/>.
    /// </summary>
    /// <param name="client">The cluster.</param>
    /// <param name="key">The key.</param>
    /// <param name="routeHash">Tells the node.</param>
    /// <param name="withValue">The value is wanted; its length is told in any case.</param>
    /// <param name="touchTo">The time to live that the item is to have from now on, as the wire has it; null leaves it as it is.</param>
    /// <param name="target">Where the value goes.</param>
    /// <param name="mode">How the caller waits.</param>
    /// <param name="cancellationToken">The caller has left.</param>
    /// <param name="mayUseGutter">A gutter node may be read while the key's own node is down.</param>
    public static ValueTask<OperationResult> FetchAsync(
        this ClusterClient client,
        WireKey key,
        uint routeHash,
        bool withValue,
        int? touchTo,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken,
        bool mayUseGutter = true)
    {
        Route route = client.Cluster.RouteOf(routeHash, mayUseGutter);
        if (route.Node is not { } node || node.Consistency.IsUncertain(key))
        {
            return new ValueTask<OperationResult>(ClusterClient.Unread(route));
        }

        // A touch leaves the CAS as it is (checked on 1.6.18: mg T, touch, gat), and so an item that is not to be read stays one.
        int? timeToLive = touchTo is { } seconds && route.IsGutter ? Math.Min(seconds, client.Cluster.GutterSeconds) : touchTo;
        ValueTask<OperationResult> reading = node.Execute(
            new FetchRequest(key, withValue, timeToLive),
            HashRing.Hash(key),
            target,
            mode,
            cancellationToken);
        return route.Fence is null ? reading : RouteChecks.ReadAsync(reading, route, outage: null, target);
    }

    /// <summary>Sets the time to live of an item: <see cref="ResultStatus.Success"/>, or <see cref="ResultStatus.Miss"/>.</summary>
    public static ValueTask<OperationResult> TouchAsync(
        this ClusterClient client,
        WireKey key,
        uint routeHash,
        int timeToLive,
        CallMode mode,
        CancellationToken cancellationToken)
        => client.FetchAsync(key, routeHash, withValue: false, timeToLive, ValueTarget.OwnArray, mode, cancellationToken);

    /// <summary>
    /// Stores a value. <see cref="ResultStatus.Conflict"/>: its condition did not hold, and nothing was stored. <see
    /// cref="ResultStatus.Miss"/>: it was to replace one state of an item, and there is no item. The CAS of what was stored is told
    /// except by classic commands. An append or prepend that would become too large is a <see cref="ResultStatus.Conflict"/> too:
    /// memcached has the same words for it as for a missing item. <see cref="Item.Prefix"/>, <see cref="Item.OnlyIfAbsent"/> and <see cref="Item.ReturnsCas"/> are not
    /// used.
    /// </summary>
    /// <param name="client">The cluster.</param>
    /// <param name="key">The key.</param>
    /// <param name="routeHash">Tells the node.</param>
    /// <param name="storeMode">What becomes of the item that is there.</param>
    /// <param name="item">The value, with its flags, time to live and condition.</param>
    /// <param name="vivifyTimeToLive">
    /// The time to live of the item that an append or prepend makes where there is none, as the wire has it; null: none is made.
    /// </param>
    /// <param name="policy">What is done besides.</param>
    /// <param name="mode">How the caller waits.</param>
    /// <param name="cancellationToken">The caller has left.</param>
    public static ValueTask<OperationResult> PutAsync(
        this ClusterClient client,
        WireKey key,
        uint routeHash,
        StoreMode storeMode,
        in Item item,
        int? vivifyTimeToLive,
        ChangePolicy policy,
        CallMode mode,
        CancellationToken cancellationToken)
    {
        if (item.CasToken is { IsKnown: false })
        {
            return new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));
        }

        Route route = RouteOf(client, routeHash, policy);
        if (route.Node is not { } node)
        {
            return NoServer(client, policy);
        }

        int limit = Math.Min(item.MaximumLength, ItemSize.MaximumValueLength(ClusterClient.ItemSizeMaxOf(node), key.Length, item.Flags));
        if (item.Value.Length > limit)
        {
            node.Counters.AddOversized();
            return new ValueTask<OperationResult>(new OperationResult { Status = ResultStatus.TooLarge, Length = Math.Max(0, limit) });
        }

        if (item.CasToken is { } state && (policy & ChangePolicy.IgnoreFences) == ChangePolicy.None && !ItemSteps.Admits(route, node, state.Cas))
        {
            return new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));
        }

        RouteChecks.RecordOnOwner(route, key, mode);
        var put = new ItemSteps.Put(storeMode, item.TimeToLive, vivifyTimeToLive, item.Flags, item.CasToken);
        put = route.IsGutter ? put.WithTimeToLiveUpTo(client.Cluster.GutterSeconds) : put;
        var context = new ItemSteps.Context(route, node, policy, mode, cancellationToken);
        bool isPlain = storeMode == StoreMode.Set && item.CasToken is null;
        return (isPlain ? context.NeedsCleaning(key) : context.NeedsLook(key)) || vivifyTimeToLive is not null
            ? ItemSteps.PutAsync(context, key.ToArray(), put, item.Value.ToArray(), isPlain)
            : ItemSteps.Send(context, key, put, item.Value);
    }

    /// <summary>
    /// Adds to a number, or takes from it: <see cref="ResultStatus.Success"/> with <see cref="OperationResult.Number"/>, the remaining
    /// time to live and the CAS where the dialect tells them; <see cref="ResultStatus.Miss"/> where there is no item and no initial
    /// number; <see cref="ResultStatus.Rejected"/> where the value is no number.
    /// </summary>
    /// <param name="client">The cluster.</param>
    /// <param name="key">The key.</param>
    /// <param name="routeHash">Tells the node.</param>
    /// <param name="down">Take from it. It stops at zero; upwards it begins at zero again after 2^64 - 1.</param>
    /// <param name="delta">By how much.</param>
    /// <param name="initial">The number that a missing item is made of, without the delta; null: none is made.</param>
    /// <param name="timeToLive">The time to live of an item that is made, as the wire has it.</param>
    /// <param name="policy">What is done besides.</param>
    /// <param name="mode">How the caller waits.</param>
    /// <param name="cancellationToken">The caller has left.</param>
    public static ValueTask<OperationResult> ChangeNumberAsync(
        this ClusterClient client,
        WireKey key,
        uint routeHash,
        bool down,
        ulong delta,
        ulong? initial,
        int timeToLive,
        ChangePolicy policy,
        CallMode mode,
        CancellationToken cancellationToken)
    {
        Route route = RouteOf(client, routeHash, policy);
        if (route.Node is not { } node)
        {
            return NoServer(client, policy);
        }

        RouteChecks.RecordOnOwner(route, key, mode);
        int seconds = route.IsGutter ? Math.Min(timeToLive, client.Cluster.GutterSeconds) : timeToLive;
        var change = new MetaRequests.NumberChange(down, delta, initial, seconds);
        var context = new ItemSteps.Context(route, node, policy, mode, cancellationToken);

        // No classic command makes the missing item.
        bool mayNeedAdd = initial is not null && node.IsClassic != false;
        return context.NeedsLook(key) || mayNeedAdd
            ? ItemSteps.ChangeNumberAsync(context, key.ToArray(), change)
            : ItemSteps.Send(context, key, change);
    }

    /// <summary>
    /// Deletes an item, or marks it as old: <see cref="ResultStatus.Success"/>, <see cref="ResultStatus.Miss"/>, or <see
    /// cref="ResultStatus.Conflict"/> where it is in another state. Classic commands mark nothing: <see cref="ResultStatus.Unsupported"/>.
    /// </summary>
    /// <param name="client">The cluster.</param>
    /// <param name="key">The key.</param>
    /// <param name="routeHash">Tells the node.</param>
    /// <param name="cas">The state that the item must be in; null for any.</param>
    /// <param name="staleTimeToLive">The time to live of the item that is marked, as the wire has it; null deletes it.</param>
    /// <param name="policy">What is done besides.</param>
    /// <param name="mode">How the caller waits.</param>
    /// <param name="cancellationToken">The caller has left.</param>
    public static ValueTask<OperationResult> RemoveAsync(
        this ClusterClient client,
        WireKey key,
        uint routeHash,
        CasToken? cas,
        int? staleTimeToLive,
        ChangePolicy policy,
        CallMode mode,
        CancellationToken cancellationToken)
    {
        if (cas is { IsKnown: false })
        {
            return new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));
        }

        Route route = RouteOf(client, routeHash, policy);
        if (route.Node is not { } node)
        {
            return NoServer(client, policy);
        }

        if (cas is { } state && (policy & ChangePolicy.IgnoreFences) == ChangePolicy.None && !ItemSteps.Admits(route, node, state.Cas))
        {
            return new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));
        }

        RouteChecks.RecordOnOwner(route, key, mode);
        var context = new ItemSteps.Context(route, node, policy, mode, cancellationToken);

        // A mark gives an old item a new CAS as an increment does. What is deleted is gone, however old it was.
        return staleTimeToLive is not null && context.NeedsLook(key)
            ? ItemSteps.MarkStaleAsync(context, key.ToArray(), cas, staleTimeToLive.Value)
            : ItemSteps.Send(context, key, cas, staleTimeToLive);
    }

    private static Route RouteOf(ClusterClient client, uint routeHash, ChangePolicy policy)
        => client.Cluster.RouteOf(routeHash, mayUseGutter: (policy & ChangePolicy.MayUseGutter) != ChangePolicy.None);

    private static ValueTask<OperationResult> NoServer(ClusterClient client, ChangePolicy policy)
    {
        if ((policy & ChangePolicy.RemoveIfUncertain) != ChangePolicy.None)
        {
            client.Cluster.NoteLostChange();
        }

        return new ValueTask<OperationResult>(ServerCluster.NoServer);
    }
}
