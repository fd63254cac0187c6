using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Protocol.Classic;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>A request for an item as it is, with all that is known of it, or to touch it.</summary>
/// <param name="key">The key.</param>
/// <param name="withValue">The value is wanted.</param>
/// <param name="timeToLive">The time to live that it is to have, if another.</param>
internal readonly ref struct FetchRequest(WireKey key, bool withValue, int? timeToLive) : IRequest
{
    private readonly WireKey _key = key;

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Fetch;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> ChangedKey => default;

    /// <inheritdoc/>
    public uint ReadHash => 0;

    /// <inheritdoc/>
    public int MaximumLength => MetaRequests.MaximumLineLength;

    /// <inheritdoc/>
    public ClassicExpectation Expectation
        => new(
            _key,
            ClassicParts.Item
                | (withValue ? ClassicParts.Value : ClassicParts.None)
                | (timeToLive is null ? ClassicParts.None : ClassicParts.Line));

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque) => MetaRequests.WriteFetch(destination, _key, withValue, timeToLive, opaque);

    /// <inheritdoc/>
    public int WriteClassic(Span<byte> destination) => ClassicRequests.WriteFetch(destination, _key, timeToLive);
}

/// <summary>A request that stores a value by one of the <see cref="StoreMode"/>s.</summary>
internal readonly ref struct PutRequest(WireKey key, StoreMode mode, ReadOnlySequence<byte> value, int timeToLive, uint flags) : IRequest
{
    private readonly WireKey _key = key;
    private readonly ReadOnlySequence<byte> _value = value;
    private readonly int _length = (int)value.Length;

    /// <summary>The state that the item must be in; 0 for any.</summary>
    public ulong Cas { get; init; }

    /// <summary>The time to live of the item that an append or prepend makes where none is.</summary>
    public int? VivifyTimeToLive { get; init; }

    /// <summary>A lost answer makes the key uncertain, unless the store is held against a state.</summary>
    public bool RecordsUncertain { get; init; }

    /// <inheritdoc/>
    public OperationKind Kind => mode >= StoreMode.Append ? OperationKind.Append : OperationKind.Put;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> ChangedKey => RecordsUncertain && Cas == 0 ? _key : default(WireKey);

    /// <inheritdoc/>
    public uint ReadHash => 0;

    /// <inheritdoc/>
    public int MaximumLength => MetaRequests.MaximumLineLength + _length + 2;

    /// <inheritdoc/>
    public ClassicExpectation Expectation
        => new(_key, ClassicParts.Line | Condition);

    private ClassicParts Condition
        => HasNoClassicForm ? ClassicParts.Unsupported
            : Cas != 0 ? ClassicParts.Cas
            : mode == StoreMode.Set ? ClassicParts.None
            : ClassicParts.Add;

    private bool HasNoClassicForm => Cas != 0 && mode >= StoreMode.Append;

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque)
        => WriteData(
            destination,
            MetaRequests.WritePut(destination, _key, _length, mode, timeToLive, VivifyTimeToLive, flags, Cas, opaque));

    /// <inheritdoc/>
    public int WriteClassic(Span<byte> destination)
        => HasNoClassicForm
            ? ClassicRequests.WriteNoOp(destination)
            : WriteData(destination, ClassicRequests.WritePut(destination, _key, _length, mode, timeToLive, flags, Cas));

    /// <summary>Writes the data block behind its line.</summary>
    private int WriteData(Span<byte> destination, int line)
    {
        Span<byte> data = destination[line..];
        _value.CopyTo(data);
        "\r\n"u8.CopyTo(data[_length..]);
        return line + _length + 2;
    }
}

/// <summary>A request that adds to a number or takes from it. A classic command makes no missing item, and tells no CAS.</summary>
internal readonly ref struct IncrementRequest(WireKey key, MetaRequests.NumberChange change, bool recordsUncertain) : IRequest
{
    private readonly WireKey _key = key;

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Increment;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> ChangedKey => recordsUncertain ? _key : default(WireKey);

    /// <inheritdoc/>
    public uint ReadHash => 0;

    /// <inheritdoc/>
    public int MaximumLength => MetaRequests.MaximumLineLength;

    /// <inheritdoc/>
    public ClassicExpectation Expectation => new(_key, ClassicParts.Line);

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque) => MetaRequests.WriteIncrement(destination, _key, change, opaque);

    /// <inheritdoc/>
    public int WriteClassic(Span<byte> destination) => ClassicRequests.WriteIncrement(destination, _key, change.IsDown, change.Delta);
}

/// <summary>
/// A request that marks an item as old. No classic command does; <c>version</c> is sent in its place, so that the place in the order is
/// taken, and its answer means that there is none.
/// </summary>
internal readonly ref struct MarkStaleRequest(WireKey key, int timeToLive, ulong cas) : IRequest
{
    private readonly WireKey _key = key;

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Delete;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> ChangedKey => default;

    /// <inheritdoc/>
    public uint ReadHash => 0;

    /// <inheritdoc/>
    public int MaximumLength => MetaRequests.MaximumLineLength;

    /// <inheritdoc/>
    public ClassicExpectation Expectation => new(_key, ClassicParts.Line | ClassicParts.Unsupported);

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque) => MetaRequests.WriteMarkStale(destination, _key, timeToLive, cas, opaque);

    /// <inheritdoc/>
    public int WriteClassic(Span<byte> destination) => ClassicRequests.WriteNoOp(destination);
}
