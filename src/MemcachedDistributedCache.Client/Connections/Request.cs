using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Protocol.Classic;
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

    /// <summary>
    /// No fewer bytes than <see cref="Write"/> fills; <see cref="WriteClassic"/> fills up to <see
    /// cref="ClassicRequests.AdditionalLength"/> more.
    /// </summary>
    int MaximumLength { get; }

    /// <summary>The marks by which the reply to <see cref="WriteClassic"/> is known.</summary>
    ClassicExpectation Expectation { get; }

    /// <summary>Writes the request as a meta command and returns its length.</summary>
    int Write(Span<byte> destination, uint opaque);

    /// <summary>Writes the request as classic commands and returns their length.</summary>
    int WriteClassic(Span<byte> destination);
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
    public ClassicExpectation Expectation => new(_key, kind switch
    {
        OperationKind.Get => ClassicParts.Item | ClassicParts.Value,
        OperationKind.Inspect => ClassicParts.Item,
        OperationKind.Probe or OperationKind.Touch => ClassicParts.Line | ClassicParts.Item,
        _ => ClassicParts.Line,
    });

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

    /// <inheritdoc/>
    public int WriteClassic(Span<byte> destination) => kind switch
    {
        OperationKind.Get or OperationKind.Inspect => ClassicRequests.WriteGet(destination, _key),
        OperationKind.Probe => ClassicRequests.WriteProbe(destination, _key, timeToLive),
        OperationKind.Touch => ClassicRequests.WriteTouch(destination, _key, timeToLive),
        OperationKind.Delete => ClassicRequests.WriteDelete(destination, _key),
        _ => ClassicRequests.WriteNoOp(destination),
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

    /// <summary>Up to this length, in bytes, a value is read back for its CAS.</summary>
    private const int LongestReadBack = 4096;

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

    /// <summary>
    /// The CAS of what was stored is to be told. Of classic commands only a second one can ask for it, which may meet
    /// another's item: length and flags tell, which whoever wants the CAS makes his own. The answer carries the
    /// value, so for a large one this is not done, and whoever wants its CAS reads the item when the time comes.
    /// </summary>
    private bool IsReadBack => condition.ReturnsCas && _length <= LongestReadBack;

    /// <inheritdoc/>
    public ClassicExpectation Expectation
        => new(_key, ClassicParts.Line | Condition | (IsReadBack ? ClassicParts.Item : ClassicParts.None), flags, _length);

    private ClassicParts Condition
        => condition.Cas != 0 ? ClassicParts.Cas : condition.OnlyIfAbsent ? ClassicParts.Add : ClassicParts.None;

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque)
        => WriteData(destination, MetaRequests.WriteStore(destination, _key, _length, timeToLive, flags, opaque, condition));

    /// <inheritdoc/>
    public int WriteClassic(Span<byte> destination)
    {
        int length = WriteData(destination, ClassicRequests.WriteStore(destination, _key, _length, timeToLive, flags, condition));
        return IsReadBack ? length + ClassicRequests.WriteGet(destination[length..], _key) : length;
    }

    /// <summary>Writes the data block behind its line.</summary>
    private int WriteData(Span<byte> destination, int line)
    {
        Span<byte> data = destination[line..];
        _prefix.CopyTo(data);
        _value.CopyTo(data[_prefix.Length..]);
        "\r\n"u8.CopyTo(data[_length..]);
        return line + _length + 2;
    }
}

/// <summary>A request for an item that takes the lease of a missing one.</summary>
/// <param name="key">The key.</param>
/// <param name="seconds">How long the empty item of the lease lives.</param>
/// <param name="withValue">The value is wanted.</param>
/// <param name="ownFlags">The client flags of the empty item, where it is made by a classic command.</param>
internal readonly ref struct LeaseRequest(WireKey key, int seconds, bool withValue, uint ownFlags) : IRequest
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
    public ClassicExpectation Expectation
        => new(_key, ClassicParts.Line | ClassicParts.Add | ClassicParts.Item | (withValue ? ClassicParts.Value : ClassicParts.None), ownFlags);

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque) => MetaRequests.WriteLease(destination, _key, seconds, withValue, opaque);

    /// <inheritdoc/>
    public int WriteClassic(Span<byte> destination) => ClassicRequests.WriteLease(destination, _key, seconds, ownFlags);
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
    public ClassicExpectation Expectation => new(_key, ClassicParts.Line | ClassicParts.Expiry);

    /// <inheritdoc/>
    public int Write(Span<byte> destination, uint opaque) => MetaRequests.WriteDelete(destination, _key, opaque, cas);

    /// <inheritdoc/>
    public int WriteClassic(Span<byte> destination) => ClassicRequests.WriteExpiry(destination, _key, cas);
}
