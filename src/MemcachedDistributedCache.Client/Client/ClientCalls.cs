using System.Runtime.CompilerServices;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// Sends the operations of the typed client, and sends again what may be. Whatever may have been sent and is not repeatable stays as
/// it is: a second increment is no second attempt at the first.
/// </summary>
/// <param name="cluster">The verbs.</param>
/// <param name="keys">Writes keys.</param>
/// <param name="retries">Repeats, if anything is repeated.</param>
/// <param name="settings">What the options say.</param>
internal sealed class ClientCalls(ClusterClient cluster, ClientKeys keys, RetryPolicy? retries, ClientSettings settings)
{
    private readonly RetryPolicy? _retries = retries;

    /// <summary>The keys.</summary>
    public ClientKeys Keys => keys;

    /// <summary>The verbs.</summary>
    public ClusterClient Cluster => cluster;

    /// <summary>The same on the same connections, by other settings.</summary>
    public ClientCalls With(ClientSettings others) => new(cluster, keys, _retries, others);

    /// <summary>Sends an operation, and gives its last attempt's result. For a blocking caller it is complete.</summary>
    public ValueTask<OperationResult> ExecuteAsync(in ClientCall call)
    {
        ValueTask<OperationResult> first = Send(call);
        return _retries is null ? first : FinishAsync(first, call);
    }

    /// <summary>Waits for a first attempt, and makes others where these are due.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<OperationResult> FinishAsync(ValueTask<OperationResult> first, ClientCall call)
    {
        OperationResult result = await first.ConfigureAwait(false);
        return result.Status == ResultStatus.Failed && _retries is not null && RetryPolicy.IsTransient(result, !call.IsRepeatable)
            ? await _retries.AgainAsync(
                result,
                static state => state.Calls.Send(state.Call),
                (Calls: this, Call: call),
                call.Mode,
                call.Token,
                onlyUnsent: !call.IsRepeatable).ConfigureAwait(false)
            : result;
    }

    /// <summary>Sends an operation once.</summary>
    /// <exception cref="ArgumentException">memcached takes no such key.</exception>
    /// <exception cref="ObjectDisposedException">The client has been disposed.</exception>
    public ValueTask<OperationResult> Send(in ClientCall call)
    {
        WireKey key = keys.Write(call.Key, stackalloc byte[MetaRequests.MaximumKeyLength], out uint route);
        ThrowIfUnusable(call.Token);
        return call.Verb switch
        {
            ClientVerb.Get or ClientVerb.GetItem => cluster.FetchAsync(key, route, withValue: true, null, call.Target, call.Mode, call.Token, settings.MayReadGutter),
            ClientVerb.GetAndTouch => cluster.FetchAsync(key, route, withValue: true, call.TimeToLive, call.Target, call.Mode, call.Token),
            ClientVerb.Touch => cluster.TouchAsync(key, route, call.TimeToLive, call.Mode, call.Token),
            ClientVerb.Delete => cluster.RemoveAsync(key, route, null, null, settings.ValuePolicy, call.Mode, call.Token),
            ClientVerb.CompareAndDelete => cluster.RemoveAsync(key, route, call.Cas, null, settings.ValuePolicy, call.Mode, call.Token),
            ClientVerb.MarkStale => cluster.RemoveAsync(key, route, null, call.TimeToLive, settings.ValuePolicy, call.Mode, call.Token),
            ClientVerb.Increment or ClientVerb.Decrement => cluster.ChangeNumberAsync(
                key,
                route,
                call.Verb == ClientVerb.Decrement,
                call.Delta,
                call.Creates ? call.Initial : null,
                call.TimeToLive,
                settings.CounterPolicy,
                call.Mode,
                call.Token),
            _ => Put(key, route, call),
        };
    }

    /// <summary>Throws for a client that has been disposed, and for a caller who has cancelled.</summary>
    public void ThrowIfUnusable(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(cluster.IsDisposed, typeof(IMemcachedClient));
        cancellationToken.ThrowIfCancellationRequested();
    }

    private ValueTask<OperationResult> Put(WireKey key, uint route, in ClientCall call)
    {
        bool isJoined = call.Verb is ClientVerb.Append or ClientVerb.Prepend;
        var item = new Item(default, call.Value, call.Flags, call.TimeToLive, settings.MaximumValueBytes)
        {
            CasToken = call.Verb == ClientVerb.CompareAndSet ? call.Cas : null,
            ReturnsCas = true,
        };
        StoreMode storeMode = call.Verb switch
        {
            ClientVerb.Add => StoreMode.Add,
            ClientVerb.Replace => StoreMode.Replace,
            ClientVerb.Append => StoreMode.Append,
            ClientVerb.Prepend => StoreMode.Prepend,
            _ => StoreMode.Set,
        };
        return cluster.PutAsync(
            key,
            route,
            storeMode,
            item,
            isJoined && call.Creates ? call.TimeToLive : null,
            isJoined ? settings.CounterPolicy : settings.ValuePolicy,
            call.Mode,
            call.Token);
    }
}
