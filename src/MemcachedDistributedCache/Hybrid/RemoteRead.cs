using System.Runtime.InteropServices;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The item of the cluster under a key.</summary>
internal enum RemoteState : byte
{
    /// <summary>An entry; whether it may be served is another question.</summary>
    Entry,

    /// <summary>Nothing, and whoever asked is to make it.</summary>
    Won,

    /// <summary>Nothing yet: somebody else makes it.</summary>
    Taken,

    /// <summary>Nothing.</summary>
    Absent,

    /// <summary>Something that was not read, or cannot be.</summary>
    Unread,

    /// <summary>Something else than before.</summary>
    Changed,

    /// <summary>Nobody knows: the server is away, or does not say.</summary>
    Unavailable,

    /// <summary>Nobody knows: no answer came in time, from a server that is not known to be away. Of a look only.</summary>
    Unanswered,
}

/// <summary>The answer to a read.</summary>
/// <param name="State">What is there.</param>
/// <param name="SentAt">The moment before the question was sent: the answer is at least as new.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct RemoteRead(RemoteState State, long SentAt)
{
    /// <summary>The entry, if one was read.</summary>
    public CachedEntry? Entry { get; init; }

    /// <summary>The state of what is there.</summary>
    public CasToken CasToken { get; init; }

    /// <summary>The lease, if it was won.</summary>
    public Lease? Lease { get; init; }

    /// <summary>No answer came in time, from a server that is not known to be away.</summary>
    public bool IsTimedOut { get; init; }

    /// <summary>A value may be stored over that state; if not, it can only be removed.</summary>
    public bool MayBeReplaced { get; init; }
}
