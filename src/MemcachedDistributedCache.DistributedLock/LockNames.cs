using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace MemcachedDistributedCache;

/// <summary>Makes the keys of a lock from its name. A name that memcached does not take as it is, or a long one, is hashed.</summary>
internal static class LockNames
{
    // With the longest hash and the longest prefix a key has 49 bytes, which leaves 200 of memcached's 250 for a namespace and its separator.
    private const int LongestPlain = 40;

    /// <summary>The key of the lock. It is its own routing, so that the counter lies on the same server.</summary>
    public static MemcachedKey KeyOf(string name) => new("lock|" + Legal(name), "lock|" + Legal(name));

    /// <summary>The key of the fencing counter.</summary>
    public static MemcachedKey CounterOf(string name) => new("fence|" + Legal(name), "lock|" + Legal(name));

    // No plain name begins with '#', so that none is the hash of another. The hash is of UTF-16: in UTF-8 two broken names could be one.
    private static string Legal(string name)
        => name.Length <= LongestPlain && name[0] != '#' && name.All(static c => c is > ' ' and < '\x7f')
            ? name
            : "#" + Base64Url.EncodeToString(SHA256.HashData(MemoryMarshal.AsBytes(name.AsSpan())));
}
