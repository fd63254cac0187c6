using System.Buffers;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>An item that is to be stored.</summary>
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

    /// <summary>An item that is there already stays; the result is <see cref="ResultStatus.Conflict"/> then.</summary>
    public bool OnlyIfAbsent { get; init; }

    /// <summary>The reply is to tell the CAS of the stored item.</summary>
    public bool ReturnsCas { get; init; }

    /// <summary>The item holds the place of a value that is being made; a gutter node keeps it as long as its time to live says.</summary>
    public bool IsPlaceholder { get; init; }
}
