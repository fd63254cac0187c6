using System.Buffers.Binary;
using System.Buffers;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>
/// How a page lies in memcached, version 2:
/// <code>
/// mark       1 byte, 0xA2: this format and its version
/// count      2 bytes, big-endian: how many tags follow
/// checksum   4 bytes, big-endian: CRC-32C of all other bytes, in their order
/// tag        32 bytes, its id (see <see cref="TagId"/>), and
///            16 bytes, the number of its version when the page began to be made (see <see cref="TagVersion"/>)
/// page       the rest, as ASP.NET Core gave it
/// </code>
/// A page counts while every tag has the version that stands here. ASP.NET Core throws at a page that is damaged, so
/// one whose checksum is wrong never gets there. A checksum tells what an accident has changed, not what a stranger
/// wrote on purpose. Version 1 had none, and other keys.
/// </summary>
internal static class PageEnvelope
{
    private const byte Mark = 0xA2;
    private const int ChecksumAt = 3;
    private const int StartLength = ChecksumAt + sizeof(uint);
    private const int TagLength = TagId.Length + TagVersion.NumberLength;

    /// <summary>Puts the page into its envelope, without copying it.</summary>
    public static ReadOnlySequence<byte> Wrap(ReadOnlySpan<VersionedTag> tags, ReadOnlySequence<byte> page)
    {
        byte[] start = new byte[StartLength + (tags.Length * TagLength)];
        start[0] = Mark;
        BinaryPrimitives.WriteUInt16BigEndian(start.AsSpan(1), checked((ushort)tags.Length));
        Span<byte> rest = start.AsSpan(StartLength);
        foreach (VersionedTag tag in tags)
        {
            tag.Tag.Write(rest);
            BinaryPrimitives.WriteUInt128BigEndian(rest[TagId.Length..], tag.Version.Number);
            rest = rest[TagLength..];
        }

        var first = new Segment(start, null);
        Segment last = first;
        uint checksum = Checksum.Add(Checksum.Add(Checksum.Start, start.AsSpan(0, ChecksumAt)), start.AsSpan(StartLength));
        foreach (ReadOnlyMemory<byte> memory in page)
        {
            checksum = Checksum.Add(checksum, memory.Span);
            last = new Segment(memory, last);
        }

        BinaryPrimitives.WriteUInt32BigEndian(start.AsSpan(ChecksumAt), checksum);
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    /// <summary>This is a page as it was stored.</summary>
    public static bool IsIntact(ReadOnlySpan<byte> stored)
        => stored.Length >= StartLength
            && stored[0] == Mark
            && BinaryPrimitives.ReadUInt32BigEndian(stored[ChecksumAt..])
                == Checksum.Add(Checksum.Add(Checksum.Start, stored[..ChecksumAt]), stored[StartLength..]);

    /// <summary>
    /// Finds where the page begins and which tags stand before it; false for what is no page, or has more tags than one
    /// may have.
    /// </summary>
    public static bool TryUnwrap(ReadOnlySpan<byte> stored, int maximumTags, out (TagId Tag, UInt128 Number)[] tags, out int pageStart)
    {
        tags = [];
        pageStart = 0;
        if (stored.Length < StartLength || stored[0] != Mark)
        {
            return false;
        }

        int count = BinaryPrimitives.ReadUInt16BigEndian(stored[1..]);
        if (count > maximumTags || stored.Length < StartLength + (count * TagLength))
        {
            return false;
        }

        tags = count == 0 ? [] : new (TagId, UInt128)[count];
        ReadOnlySpan<byte> rest = stored[StartLength..];
        for (int i = 0; i < count; i++)
        {
            tags[i] = (TagId.Read(rest), BinaryPrimitives.ReadUInt128BigEndian(rest[TagId.Length..]));
            rest = rest[TagLength..];
        }

        pageStart = stored.Length - rest.Length;
        return true;
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? before)
        {
            Memory = memory;
            if (before is not null)
            {
                RunningIndex = before.RunningIndex + before.Memory.Length;
                before.Next = this;
            }
        }
    }
}
