using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>A request that can write itself.</summary>
internal interface IRequest
{
    /// <summary>The kind of operation.</summary>
    OperationKind Kind { get; }

    /// <summary>The key that is changed, empty where none is.</summary>
    ReadOnlySpan<byte> ChangedKey { get; }

    /// <summary>
    /// The key's hash if the length of the value that is read is to be noted under it (see <see cref="LargeValues"/>),
    /// otherwise 0.
    /// </summary>
    uint ReadHash { get; }

    /// <summary>No fewer bytes than <see cref="Write"/> fills.</summary>
    int MaximumLength { get; }

    /// <summary>Writes the request and returns its length.</summary>
    int Write(Span<byte> destination, uint opaque);
}

/// <summary>A request that consists of a verb and a key.</summary>
internal readonly ref struct KeyRequest(OperationKind kind, WireKey key, int timeToLive = 0) : IRequest
{
    private readonly WireKey _key = key;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> ChangedKey => kind == OperationKind.Delete && !IsReplay ? _key : default(WireKey);

    /// <summary>It removes a key that is recorded as uncertain, and stays so until the answer has come.</summary>
    public bool IsReplay { get; init; }

    /// <summary>A read asks for the CAS.</summary>
    public bool WithCas { get; init; }

    /// <inheritdoc/>
    public uint ReadHash { get; init; }

    /// <inheritdoc/>
    public OperationKind Kind => kind;

    /// <inheritdoc/>
    public int MaximumLength => MetaRequests.MaximumLineLength;

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque) => kind switch
    {
        OperationKind.Get => MetaRequests.WriteGet(destination, _key, opaque, WithCas),
        OperationKind.Probe => MetaRequests.WriteProbe(destination, _key, timeToLive, opaque),
        OperationKind.Inspect => MetaRequests.WriteInspect(destination, _key, opaque, WithCas),
        OperationKind.Touch => MetaRequests.WriteTouch(destination, _key, timeToLive, opaque),
        OperationKind.Delete => MetaRequests.WriteDelete(destination, _key, opaque),
        _ => MetaRequests.WriteNoOp(destination),
    };
}

/// <summary>A request that stores a value, an optional prefix before it.</summary>
internal readonly ref struct StoreRequest(
    WireKey key,
    ReadOnlySpan<byte> prefix,
    ReadOnlySequence<byte> value,
    int timeToLive,
    uint flags,
    MetaRequests.StoreCondition condition = default) : IRequest
{
    private readonly WireKey _key = key;
    private readonly ReadOnlySpan<byte> _prefix = prefix;
    private readonly ReadOnlySequence<byte> _value = value;
    private readonly int _length = prefix.Length + (int)value.Length;

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Store;

    /// <summary>
    /// A store over a state leaves nothing uncertain when its answer is lost: however late it happens, it happens to
    /// the state that it was for. That there is nothing under a key is no such state: it comes back.
    /// </summary>
    public ReadOnlySpan<byte> ChangedKey => condition.Cas != 0 ? default : (ReadOnlySpan<byte>)_key;

    /// <inheritdoc/>
    public uint ReadHash => 0;

    /// <inheritdoc/>
    public int MaximumLength => MetaRequests.MaximumLineLength + _length + 2;

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque)
    {
        int line = MetaRequests.WriteStore(destination, _key, _length, timeToLive, flags, opaque, condition);
        Span<byte> data = destination[line..];
        _prefix.CopyTo(data);
        _value.CopyTo(data[_prefix.Length..]);
        "\r\n"u8.CopyTo(data[_length..]);
        return line + _length + 2;
    }
}

/// <summary>A request for an item that takes the lease of a missing one.</summary>
internal readonly ref struct LeaseRequest(WireKey key, int seconds, bool withValue) : IRequest
{
    private readonly WireKey _key = key;

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Lease;

    /// <summary>Where it wins a placeholder is made, which has to be removed if the answer comes too late.</summary>
    public ReadOnlySpan<byte> ChangedKey => _key;

    /// <inheritdoc/>
    public uint ReadHash => 0;

    /// <inheritdoc/>
    public int MaximumLength => MetaRequests.MaximumLineLength;

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque) => MetaRequests.WriteLease(destination, _key, seconds, withValue, opaque);
}

/// <summary>A request that deletes an item in one state only, and so leaves nothing uncertain when its answer is lost.</summary>
internal readonly ref struct ConditionalDeleteRequest(WireKey key, ulong cas) : IRequest
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
    public int Write(Span<byte> destination, uint opaque) => MetaRequests.WriteDelete(destination, _key, opaque, cas);
}
