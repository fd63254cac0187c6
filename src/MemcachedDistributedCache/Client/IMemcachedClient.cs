using System.Buffers;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// What the caches need of a memcached cluster. Keys are legal on the wire by their type. With <see cref="CallMode.Sync"/> the result is there when
/// the call returns. A server's failure is a result, never an exception.
/// </summary>
internal interface IMemcachedClient
{
    /// <summary>Whether it has been disposed.</summary>
    bool IsDisposed { get; }

    /// <summary>
    /// Reads a value with its flags and time to live, and its CAS if asked for. With <paramref name="sinceOutage"/> what the node has from before it was
    /// last down is a miss. A large value may be read on a connection of its own, and so before what was asked of its key and not answered yet, unless
    /// <paramref name="inOrder"/> says otherwise or the CAS was asked for, which is good for the key's own connection.
    /// </summary>
    ValueTask<OperationResult> GetAsync(WireKey key, ValueTarget target, CallMode mode, CancellationToken cancellationToken, bool withCas = false, object? node = null, bool sinceOutage = false, bool inOrder = false);

    /// <summary>
    /// Reads an item, placeholders among them, with its flags, time to live and CAS. Where there is none an empty one is made that lives
    /// <paramref name="seconds"/>, and who made it has won the lease.
    /// </summary>
    ValueTask<OperationResult> LeaseAsync(WireKey key, int seconds, bool withValue, CancellationToken cancellationToken);

    /// <summary>Reads flags and time to live, and the CAS if asked for.</summary>
    ValueTask<OperationResult> InspectAsync(WireKey key, CallMode mode, CancellationToken cancellationToken, bool withCas = false);

    /// <summary>
    /// Stores a value. One that no server would take is <see cref="Connections.OperationStatus.TooLarge"/>, and nothing is sent. Neither is one whose
    /// CAS token is of another connection than the key's present one, or of a state that may not be read in the place of another node: it is a
    /// <see cref="Connections.OperationStatus.Conflict"/>.
    /// </summary>
    ValueTask<OperationResult> StoreAsync(WireKey key, in Item item, CallMode mode, CancellationToken cancellationToken);

    /// <summary>Sets the time to live and reads the flags and the CAS of the item that was touched.</summary>
    ValueTask<OperationResult> TouchAsync(WireKey key, int timeToLive, CallMode mode, CancellationToken cancellationToken);

    /// <summary>
    /// Notes that a write was not sent, or not answered in time, or may have been overtaken, so that what the server has under the key is not
    /// read before it has been removed. One whose connection broke is noted already.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="mayOvertakeRemoval">Whether the server may yet act on it, after what it is asked from now on.</param>
    /// <param name="node">The node, where it is not the key's.</param>
    void RecordUncertain(WireKey key, bool mayOvertakeRemoval = false, object? node = null);

    /// <summary>Deletes an item.</summary>
    ValueTask<OperationResult> DeleteAsync(WireKey key, CallMode mode, CancellationToken cancellationToken);

    /// <summary>Deletes an item if it is in the state of the CAS token; like a store, nothing is sent where that cannot be.</summary>
    ValueTask<OperationResult> DeleteAsync(WireKey key, CasToken casToken, CancellationToken cancellationToken);

    /// <summary>All nodes, as what names one in the methods that take one.</summary>
    IReadOnlyList<object> Nodes { get; }

    /// <summary>The node that a key's requests go to now.</summary>
    object NodeOf(ReadOnlySpan<byte> key);
}

/// <summary>What is stored under a key.</summary>
/// <param name="prefix">Bytes before the value, or none.</param>
/// <param name="value">The value.</param>
/// <param name="flags">The client flags.</param>
/// <param name="timeToLive">The time to live as the wire has it: seconds up to 30 days, or a Unix time; never 0.</param>
/// <param name="maximumLength">The caller's own limit for the value, in bytes.</param>
internal readonly ref struct Item(ReadOnlySpan<byte> prefix, ReadOnlySequence<byte> value, uint flags, int timeToLive, int maximumLength)
{
    /// <summary>Bytes before the value.</summary>
    public ReadOnlySpan<byte> Prefix { get; } = prefix;

    /// <summary>The value.</summary>
    public ReadOnlySequence<byte> Value { get; } = value;

    /// <summary>The client flags.</summary>
    public uint Flags { get; } = flags;

    /// <summary>The time to live as the wire has it.</summary>
    public int TimeToLive { get; } = timeToLive;

    /// <summary>The caller's own limit.</summary>
    public int MaximumLength { get; } = maximumLength;

    /// <summary>The state that the key must be in, or none.</summary>
    public CasToken? CasToken { get; init; }

    /// <summary>Whether an item that is there already stays; the result is <see cref="Connections.OperationStatus.Conflict"/> then.</summary>
    public bool OnlyIfAbsent { get; init; }

    /// <summary>Whether to ask for the CAS of what was stored.</summary>
    public bool ReturnsCas { get; init; }

    /// <summary>Whether it holds the place of a value that is being made; a gutter node keeps it as long as its time to live says.</summary>
    public bool IsPlaceholder { get; init; }

    /// <summary>The node to store it on, where that is not to be the key's.</summary>
    public object? Node { get; init; }
}
