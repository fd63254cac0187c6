using MemcachedDistributedCache.Client;

namespace MemcachedDistributedCache.Layout;

/// <summary>
/// The keys of the hybrid cache, which <see cref="KeyEncoder"/> makes apart from the application's plain ones:
/// <code>
/// namespace|#=key  ~h42     the entry of a key, legal as it is or hashed;
/// namespace|#!key  'h42     the lease for refreshing that entry;
/// namespace|#@tag  %h42     the version of a tag; h42 are the first 42 of the hash's 43 characters
/// </code>
/// </summary>
internal static class HybridKeys
{
    private static readonly (char Plain, char Hashed) Tags = ('@', '%');

    /// <summary>Makes the key of something that the hybrid cache keeps, which meets no plain key and nothing of another space.</summary>
    public static byte[] Encode(this KeyEncoder keys, string key, HybridSpace space)
        => keys.Encode(
            key,
            space switch
            {
                HybridSpace.Entry => ('=', '~'),
                HybridSpace.Lease => ('!', '\''),
                _ => Tags,
            });

    /// <summary>
    /// This is a key, without the namespace, that <see cref="Encode"/> makes of a tag which an entry can carry. Asked of keys that were
    /// read: a key of another form, or of another space, must not be sent to a server. The tag <c>*</c> is none that an entry can name.
    /// </summary>
    public static bool IsTagKey(this KeyEncoder keys, ReadOnlySpan<byte> key) => keys.IsOf(Tags, key) && !key.SequenceEqual("#@*"u8);
}

/// <summary>The purpose of a key of the hybrid cache.</summary>
internal enum HybridSpace
{
    /// <summary>An entry.</summary>
    Entry,

    /// <summary>The lease for refreshing an entry that is there.</summary>
    Lease,

    /// <summary>The version of a tag.</summary>
    Tag,
}
