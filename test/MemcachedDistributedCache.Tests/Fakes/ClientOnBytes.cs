using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>The client's verbs on keys as tests write them; each is checked on the way.</summary>
internal static class ClientOnBytes
{
    public static ValueTask<OperationResult> GetAsync(this IMemcachedClient client, ReadOnlySpan<byte> key, ValueTarget target, CallMode mode, CancellationToken cancellationToken, bool withCas = false, object? node = null, bool sinceOutage = false, bool inOrder = false)
        => client.GetAsync(WireKey.Of(key), target, mode, cancellationToken, withCas, node, sinceOutage, inOrder);

    public static ValueTask<OperationResult> LeaseAsync(this IMemcachedClient client, ReadOnlySpan<byte> key, int seconds, bool withValue, CancellationToken cancellationToken)
        => client.LeaseAsync(WireKey.Of(key), seconds, withValue, cancellationToken);

    public static ValueTask<OperationResult> InspectAsync(this IMemcachedClient client, ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken, bool withCas = false)
        => client.InspectAsync(WireKey.Of(key), mode, cancellationToken, withCas);

    public static ValueTask<OperationResult> StoreAsync(this IMemcachedClient client, ReadOnlySpan<byte> key, in Item item, CallMode mode, CancellationToken cancellationToken)
        => client.StoreAsync(WireKey.Of(key), item, mode, cancellationToken);

    public static ValueTask<OperationResult> TouchAsync(this IMemcachedClient client, ReadOnlySpan<byte> key, int timeToLive, CallMode mode, CancellationToken cancellationToken)
        => client.TouchAsync(WireKey.Of(key), timeToLive, mode, cancellationToken);

    public static void RecordUncertain(this IMemcachedClient client, ReadOnlySpan<byte> key, bool mayOvertakeRemoval = false, object? node = null)
        => client.RecordUncertain(WireKey.Of(key), mayOvertakeRemoval, node);

    public static ValueTask<OperationResult> DeleteAsync(this IMemcachedClient client, ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken)
        => client.DeleteAsync(WireKey.Of(key), mode, cancellationToken);

    public static ValueTask<OperationResult> DeleteAsync(this IMemcachedClient client, ReadOnlySpan<byte> key, CasToken casToken, CancellationToken cancellationToken)
        => client.DeleteAsync(WireKey.Of(key), casToken, cancellationToken);
}
