using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>The client's verbs on keys as tests write them; each is checked on the way.</summary>
internal static class ClientOnBytes
{
    public static ValueTask<OperationResult> GetAsync(
        this ClusterClient client,
        ReadOnlySpan<byte> key,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken,
        ReadRequirements needs = ReadRequirements.None)
        => client.GetAsync(WireKey.Of(key), needs, target, mode, cancellationToken);

    public static ValueTask<OperationResult> LeaseAsync(
        this ClusterClient client,
        ReadOnlySpan<byte> key,
        int seconds,
        bool withValue,
        CancellationToken cancellationToken,
        uint ownFlags = 0)
        => client.LeaseAsync(WireKey.Of(key), seconds, withValue, ownFlags, cancellationToken);

    public static ValueTask<OperationResult> InspectAsync(
        this ClusterClient client,
        ReadOnlySpan<byte> key,
        CallMode mode,
        CancellationToken cancellationToken,
        bool withCas = false)
        => client.InspectAsync(WireKey.Of(key), withCas, mode, cancellationToken);

    public static ValueTask<OperationResult> StoreAsync(
        this ClusterClient client,
        ReadOnlySpan<byte> key,
        in Item item,
        CallMode mode,
        CancellationToken cancellationToken)
        => client.StoreAsync(WireKey.Of(key), item, mode, cancellationToken);

    public static ValueTask<OperationResult> TouchAsync(
        this ClusterClient client,
        ReadOnlySpan<byte> key,
        int timeToLive,
        CallMode mode,
        CancellationToken cancellationToken)
        => client.TouchAsync(WireKey.Of(key), timeToLive, mode, cancellationToken);

    public static void RecordUncertain(this ClusterClient client, ReadOnlySpan<byte> key, bool mayOvertakeRemoval = false)
        => client.RecordUncertain(WireKey.Of(key), mayOvertakeRemoval);

    public static ValueTask<OperationResult> DeleteAsync(
        this ClusterClient client,
        ReadOnlySpan<byte> key,
        CallMode mode,
        CancellationToken cancellationToken)
        => client.DeleteAsync(WireKey.Of(key), mode, cancellationToken);

    public static ValueTask<OperationResult> DeleteAsync(
        this ClusterClient client,
        ReadOnlySpan<byte> key,
        CasToken casToken,
        CancellationToken cancellationToken)
        => client.DeleteAsync(WireKey.Of(key), casToken, cancellationToken);
}
