using System.Buffers.Binary;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// How an entry of the hybrid cache lies in memcached, version 1; its client flags say <see cref="EntryKind.HybridEntry"/>.
/// <code>
///  0       1  version of the layout
///  1       1  kind of the payload
///  2       8  when its factory ended, Unix time in milliseconds
/// 10       8  when it expires, the same; the server keeps it longer where it may be of use after that
/// 18       2  number of tags n
/// 20       4  length of the payload
/// 24      16  version of the tag of all entries
/// 40          n tags: length of the key (1), key without the namespace, version (16)
///             payload
/// </code>
/// All numbers are big-endian. An item is read as if a stranger had written it: lengths must add up to the item's, the key of a tag
/// must be one that <see cref="KeyEncoder"/> makes, and times must leave room for arithmetic with them.
/// </summary>
internal sealed class EntryLayout(KeyEncoder keys, TagTable tags, int maximumTags)
{
    private const byte Version = 1;

    private const int FixedLength = 24 + TagVersion.Length;

    /// <summary>The client flags of an entry, but for the bits that differ from one to the next.</summary>
    public static uint Flags { get; } = EntryFormat.FlagsOf(EntryKind.HybridEntry);

    /// <summary>Writes all that goes before the payload; the rest is filled in by <see cref="Complete"/>.</summary>
    public int WriteHeader(PooledWriter writer, TagStamp[] stamps)
    {
        int length = FixedLength + stamps.Skip(1).Sum(stamp => 1 + stamp.State.WireKey.Length - keys.PrefixLength + TagVersion.Length);
        Span<byte> header = writer.GetSpan(length)[..length];
        header[0] = Version;
        BinaryPrimitives.WriteUInt16BigEndian(header[18..], (ushort)(stamps.Length - 1));
        stamps[0].Version.Write(header[24..]);
        int at = FixedLength;
        foreach (TagStamp stamp in stamps.AsSpan(1))
        {
            ReadOnlySpan<byte> key = stamp.State.WireKey.AsSpan(keys.PrefixLength);
            header[at] = (byte)key.Length;
            key.CopyTo(header[(at + 1)..]);
            stamp.Version.Write(header[(at + 1 + key.Length)..]);
            at += 1 + key.Length + TagVersion.Length;
        }

        writer.Advance(length);
        return length;
    }

    /// <summary>Fills in what is known once the value has been serialized.</summary>
    public static void Complete(Span<byte> header, PayloadKind kind, long createdAt, long expiresAt, int payloadLength)
    {
        header[1] = (byte)kind;
        BinaryPrimitives.WriteInt64BigEndian(header[2..], createdAt);
        BinaryPrimitives.WriteInt64BigEndian(header[10..], expiresAt);
        BinaryPrimitives.WriteInt32BigEndian(header[20..], payloadLength);
    }

    /// <summary>Reads an entry; null if it is none, or of another version, or has been tampered with.</summary>
    public CachedEntry? TryRead(byte[] item, byte[] wireKey, CasToken casToken)
    {
        ReadOnlySpan<byte> bytes = item;
        if (bytes.Length < FixedLength || bytes[0] != Version || bytes[1] > (byte)PayloadKind.Elsewhere)
        {
            return null;
        }

        long createdAt = BinaryPrimitives.ReadInt64BigEndian(bytes[2..]);
        long expiresAt = BinaryPrimitives.ReadInt64BigEndian(bytes[10..]);
        if (!StoredTime.CanBeAddedTo(createdAt) || !StoredTime.CanBeAddedTo(expiresAt))
        {
            return null;
        }

        if (!TryMeasure(bytes, out int payloadAt))
        {
            return null;
        }

        return new CachedEntry
        {
            Head = new EntryHead(createdAt, expiresAt, ReadStamps(bytes, wireKey)),
            Kind = (PayloadKind)bytes[1],
            Payload = item.AsMemory(payloadAt),
            CasToken = casToken,
        };
    }

    /// <summary>
    /// Finds where the payload begins, if all lengths add up and each tag has a key that this cache would make of one. The keys are
    /// sent to servers later on, so one that is merely odd is refused; each costs a request, so that more than an entry may have
    /// are as well. Nothing is remembered of an item before all of it has been seen.
    /// </summary>
    private bool TryMeasure(ReadOnlySpan<byte> item, out int payloadAt)
    {
        payloadAt = FixedLength;
        int count = BinaryPrimitives.ReadUInt16BigEndian(item[18..]);
        if (count > maximumTags)
        {
            return false;
        }

        for (int left = count; left > 0; left--)
        {
            int length = payloadAt < item.Length ? item[payloadAt] : 0;
            if (item.Length - payloadAt < 1 + length + TagVersion.Length || !keys.IsTagKey(item.Slice(payloadAt + 1, length)))
            {
                return false;
            }

            payloadAt += 1 + length + TagVersion.Length;
        }

        return BinaryPrimitives.ReadInt32BigEndian(item[20..]) == item.Length - payloadAt;
    }

    private TagStamp[] ReadStamps(ReadOnlySpan<byte> item, byte[] wireKey)
    {
        var stamps = new TagStamp[1 + BinaryPrimitives.ReadUInt16BigEndian(item[18..])];
        stamps[0] = new TagStamp(tags.WildcardOf(wireKey), TagVersion.Read(item[24..]));
        Span<byte> key = stackalloc byte[Protocol.MetaRequests.MaximumKeyLength];
        wireKey.AsSpan(0, keys.PrefixLength).CopyTo(key);
        int at = FixedLength;
        for (int i = 1; i < stamps.Length; i++)
        {
            int length = item[at];
            item.Slice(at + 1, length).CopyTo(key[keys.PrefixLength..]);
            stamps[i] = new TagStamp(tags.OfWireKey(key[..(keys.PrefixLength + length)]), TagVersion.Read(item[(at + 1 + length)..]));
            at += 1 + length + TagVersion.Length;
        }

        return stamps;
    }
}
