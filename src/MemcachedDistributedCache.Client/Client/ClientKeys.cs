using System.Text;
using System.Text.Unicode;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// Makes of the client's keys what servers see: the namespace, its separator if there is one, and the text. A text that begins with
/// <c>#</c> is never sent as it is, since the caches' own items lie under such keys.
/// </summary>
internal sealed class ClientKeys(string keyNamespace, MemcachedIllegalKeys illegal)
{
    private readonly byte[] _prefix = keyNamespace.Length == 0 ? [] : Encoding.ASCII.GetBytes(keyNamespace + KeyEncoder.Separator);
    private readonly KeyEncoder _hashing = new(keyNamespace);

    /// <summary>Writes a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="buffer">250 bytes.</param>
    /// <param name="routeHash">The hash by which the key's server is found.</param>
    /// <exception cref="ArgumentException">memcached takes no such key, and the option does not say to hash it.</exception>
    public WireKey Write(MemcachedKey key, Span<byte> buffer, out uint routeHash)
    {
        if (key.Text is null)
        {
            throw new ArgumentException("The key is the default value of its type; make one of a text.", nameof(key));
        }

        if (key.Routing is { } routing)
        {
            routeHash = Cluster.HashRing.Hash(Write(routing, buffer));
            return Write(key.Text, buffer);
        }

        WireKey wireKey = Write(key.Text, buffer);
        routeHash = Cluster.HashRing.Hash(wireKey);
        return wireKey;
    }

    private WireKey Write(string text, Span<byte> buffer)
    {
        if (illegal == MemcachedIllegalKeys.Hash)
        {
            return _hashing.Encode(text, buffer);
        }

        _prefix.CopyTo(buffer);
        Span<byte> rest = buffer[_prefix.Length..MetaRequests.MaximumKeyLength];
        return text[0] != '#' && (_prefix.Length != 0 || !text.Contains("|#", StringComparison.Ordinal))
            && Utf8.FromUtf16(text, rest, out _, out int length, replaceInvalidSequences: false) == System.Buffers.OperationStatus.Done
            && WireKey.TryCreate(buffer[..(_prefix.Length + length)], out WireKey key)
                ? key
                : throw new ArgumentException(
                    $"memcached takes no such key: with the namespace it has {_prefix.Length + Encoding.UTF8.GetByteCount(text)} bytes in UTF-8, "
                    + "and it may have 250, no space and no control character, and may not begin with '#', nor have '|#' where there is no namespace: the caches' own items lie there. "
                    + "Set MemcachedClientOptions.IllegalKeys to Hash to have such keys hashed, as the caches do.",
                    nameof(text));
    }
}
