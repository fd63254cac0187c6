using System.Runtime.InteropServices;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// A value as it is kept: serialized, so that each caller gets an object of its own, and with all that decides whether it may be
/// served. The moments of the local copy are timestamps, the entry's own are Unix time in milliseconds.
/// </summary>
internal class CachedEntry
{
    private long _freshUntil;

    /// <summary>When it was made and expires, and its tags.</summary>
    public required EntryHead Head { get; init; }

    /// <summary>The kind of the payload; see <see cref="PayloadKind"/>.</summary>
    public required PayloadKind Kind { get; init; }

    /// <summary>The serialized value; empty in a copy that holds the value itself.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The state of the cluster's entry that this is a copy of; unknown where there is none.</summary>
    public CasToken CasToken { get; init; }

    /// <summary>It was kept out of the cluster by its caller, so that there is nothing to hold it against.</summary>
    public bool IsDetached { get; init; }

    /// <summary>It was put in place past its expiration, to be served while it is refreshed or its factory fails.</summary>
    public bool IsStale { get; init; }

    /// <summary>The bytes that it counts for.</summary>
    public long Size { get; init; }

    /// <summary>The moment after which the local copy is no longer served by itself.</summary>
    public long LocalUntil { get; set; }

    /// <inheritdoc cref="EntryHead.CreatedAt"/>
    public long CreatedAt => Head.CreatedAt;

    /// <inheritdoc cref="EntryHead.ExpiresAt"/>
    public long ExpiresAt => Head.ExpiresAt;

    /// <inheritdoc cref="EntryHead.Tags"/>
    public TagStamp[] Tags => Head.Tags;

    /// <summary>No answer came in time when the cluster was last asked about it, and the copy was served all the same.</summary>
    public bool IsUnanswered { get; set; }

    /// <summary>Until when it is served without asking anybody.</summary>
    public long FreshUntil
    {
        get => Volatile.Read(ref _freshUntil);
        set => Volatile.Write(ref _freshUntil, value);
    }
}

/// <summary>The head of an entry: all that it carries besides its value.</summary>
/// <param name="CreatedAt">When its factory ended, in milliseconds of Unix time.</param>
/// <param name="ExpiresAt">When it expires, the same; it may be of use for a while after that.</param>
/// <param name="Tags">The versions of its tags from before its factory ran, that of all entries first.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct EntryHead(long CreatedAt, long ExpiresAt, TagStamp[] Tags);

/// <summary>A value of a type that cannot be changed: all callers share it.</summary>
internal sealed class CachedEntry<T> : CachedEntry
{
    /// <summary>The value.</summary>
    public required T Value { get; init; }
}

/// <summary>The kind of a payload, so that a value is not read as another kind.</summary>
internal enum PayloadKind : byte
{
    /// <summary>No value: null.</summary>
    Null = 0,

    /// <summary>The output of a serializer.</summary>
    Serialized = 1,

    /// <summary>The bytes themselves.</summary>
    Bytes = 2,

    /// <summary>Text in UTF-8.</summary>
    Utf8 = 3,

    /// <summary>Text with lone surrogates, which UTF-8 cannot say: UTF-16, little-endian.</summary>
    Utf16 = 4,

    /// <summary>
    /// Nothing: the value is too large for the cluster, and each process keeps its own. The entry stands for all of them: whoever
    /// removes or replaces it ends them, within the time after which each process asks.
    /// </summary>
    Elsewhere = 5,
}
