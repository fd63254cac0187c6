using System.Buffers;
using System.Buffers.Binary;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>
/// How a page lies in memcached, version 1:
/// <code>
/// mark       1 byte, 0xA1: this format and its version
/// count      2 bytes, big-endian: how many tags follow
/// tag        32 bytes, its id (see <see cref="TagId"/>), and
///            16 bytes, the number of its version when the page began to be made (see <see cref="TagVersion"/>)
/// page       the rest, as ASP.NET Core gave it
/// </code>
/// A page counts while every tag has the version that stands here.
/// </summary>
internal static class PageEnvelope
{
    private const byte Mark = 0xA1;
    private const int StartLength = 3;
    private const int TagLength = TagId.Length + TagVersion.NumberLength;

    /// <summary>As many tags as the count can tell.</summary>
    public const int MaximumTags = ushort.MaxValue;

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
        foreach (ReadOnlyMemory<byte> memory in page)
        {
            last = new Segment(memory, last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    /// <summary>Finds where the page begins and which tags stand before it; false for what is no page.</summary>
    public static bool TryUnwrap(ReadOnlySpan<byte> stored, out (TagId Tag, UInt128 Number)[] tags, out int pageStart)
    {
        tags = [];
        pageStart = 0;
        if (stored.Length < StartLength || stored[0] != Mark)
        {
            return false;
        }

        int count = BinaryPrimitives.ReadUInt16BigEndian(stored[1..]);
        if (stored.Length < StartLength + (count * TagLength))
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
