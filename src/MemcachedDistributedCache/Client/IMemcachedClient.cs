using System.Buffers;
using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// What the caches need of a memcached cluster. Keys are legal on the wire. With <see cref="CallMode.Sync"/> the result is there when
/// the call returns. A server's failure is a result, never an exception.
/// </summary>
internal interface IMemcachedClient
{
    /// <summary>Whether it has been disposed.</summary>
    bool IsDisposed { get; }

    /// <summary>Reads a value with its flags and time to live, and its CAS if asked for.</summary>
    ValueTask<OperationResult> GetAsync(ReadOnlySpan<byte> key, ValueTarget target, CallMode mode, CancellationToken cancellationToken, bool withCas = false);

    /// <summary>Reads flags and time to live.</summary>
    ValueTask<OperationResult> InspectAsync(ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken);

    /// <summary>Stores a value. One that no server would take is <see cref="Connections.OperationStatus.TooLarge"/>, and nothing is sent.</summary>
    ValueTask<OperationResult> StoreAsync(ReadOnlySpan<byte> key, in Item item, CallMode mode, CancellationToken cancellationToken);

    /// <summary>Sets the time to live and reads the flags and the CAS of the item that was touched.</summary>
    ValueTask<OperationResult> TouchAsync(ReadOnlySpan<byte> key, int timeToLive, CallMode mode, CancellationToken cancellationToken);

    /// <summary>
    /// Notes that a write was not sent, or not answered in time, so that what the server has under the key is not read before it has been
    /// removed. One whose connection broke is noted already.
    /// </summary>
    void Distrust(ReadOnlySpan<byte> key);

    /// <summary>Deletes an item.</summary>
    ValueTask<OperationResult> DeleteAsync(ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken);
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

    /// <summary>Whether an item that is there already stays; the result is <see cref="Connections.OperationStatus.Conflict"/> then.</summary>
    public bool OnlyIfAbsent { get; init; }
}
