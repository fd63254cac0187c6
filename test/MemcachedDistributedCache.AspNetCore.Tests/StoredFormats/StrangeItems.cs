using System.Buffers.Binary;
using System.Text;

namespace MemcachedDistributedCache.AspNetCore.Tests.StoredFormats;

/// <summary>
/// What a stranger may have written: items of each stored format with one field or more spoiled. Written from the
/// formats' descriptions and not with the code that reads them, so that a fault of that code cannot hide itself. One
/// instance for each thread.
/// </summary>
internal sealed class StrangeItems(Random random)
{
    private const uint Mark = 0xC5u << 24;
    /// <summary>The bits of the flags of entries and leases that may be anything.</summary>
    public const uint FreeBits = (1u << 20) - 1;

    public const uint EntryFlags = Mark | (1u << 20);
    public const uint LeaseFlags = Mark | (2u << 20);
    public const uint VersionFlags = Mark | (3u << 20);
    private static readonly long[] Times = [0, 1, -1, long.MinValue, long.MaxValue, long.MaxValue - 1, 253_402_300_799_999, 253_402_300_800_000, 253_402_297_200_000, 221_845_392_000_000, 221_845_392_000_001];

    /// <summary>Keys of no tag among them those of tags; each would do something if it were sent.</summary>
    private static readonly byte[][] TagKeys =
    [
        .. ((string[])[
            "x\r\nflush_all\r\nmn", "#@x\r\nflush_all\r\nmn", "#@a\nmd fz|k1", "#@a b", "#@a\0b", "#@a\tb", "#@\u007f", "#@", "#@*", "#=h1", "#!h1", "#?", "k1", "fz|k1", "#", "",
            "#~" + new string('a', 42), "#'" + new string('a', 42), "#%" + new string('a', 42), "#%" + new string('a', 41), "#%" + new string('a', 41) + "+", "#^" + new string('a', 42),
            "#@t0", "#@t1", "#@other", "#@\u00e9", "#@" + new string('k', 245), "#@" + new string('k', 246), "#@" + new string('k', 253), " #@t", "\r\n", "#@t q", "#@t v\r\n"]).Select(Encoding.UTF8.GetBytes),
        [(byte)'#', (byte)'@', 0xff],
        [(byte)'#', (byte)'@', 0xed, 0xa0, 0x80],
    ];

    /// <summary>An entry of the hybrid cache with some fields spoiled.</summary>
    public (byte[] Data, uint Flags) HybridEntry(Func<string, byte[]?> versionOf)
    {
        List<(byte[] Key, byte[] Version)> tags = [.. Enumerable.Range(0, random.Next(4)).Select(_ => NewTag(versionOf))];
        byte[] payload = Payload(out byte kind);
        long now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        byte version = 1;
        long created = now;
        long expires = now + random.Next(-5000, 100_000);
        int count = tags.Count;
        int length = payload.Length;
        byte[] wildcard = versionOf("#@*") ?? Bytes(16);
        for (int spoiled = random.Next(1, 3); spoiled > 0; spoiled--)
        {
            switch (random.Next(11))
            {
                case 0:
                    version = (byte)random.Next(256);
                    break;
                case 1:
                    kind = (byte)random.Next(7);
                    break;
                case 2:
                    created = AnyTime();
                    break;
                case 3:
                    expires = AnyTime();
                    break;
                case 4:
                    count = random.Next(3) switch { 0 => count + 1, 1 => Math.Max(0, count - 1), _ => random.Next(ushort.MaxValue + 1) };
                    break;
                case 5:
                    length = random.Next(4) switch { 0 => length + 1, 1 => length - 1, 2 => int.MaxValue, _ => random.Next(int.MinValue, int.MaxValue) };
                    break;
                case 6:
                    wildcard = Bytes(16);
                    break;
                case 7 or 8:
                    byte[] key = TagKeys[random.Next(TagKeys.Length)];
                    tags.Add((random.Next(4) == 0 ? Spoil(key) : key, Bytes(16)));
                    count = tags.Count;
                    break;
                case 9:
                    tags = [.. Enumerable.Range(0, random.Next(60, 70)).Select(i => (Encoding.ASCII.GetBytes($"#@m{i}"), Bytes(16)))];
                    count = random.Next(8) == 0 ? tags.Count : 0;
                    break;
                default:
                    payload = Bytes(random.Next(50));
                    length = payload.Length;
                    break;
            }
        }

        byte[] head = new byte[40];
        (head[0], head[1]) = (version, kind);
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(2), created);
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(10), expires);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(18), (ushort)count);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(20), length);
        wildcard.CopyTo(head.AsSpan(24));
        byte[] item = [.. head, .. tags.SelectMany(static tag => (byte[])[(byte)tag.Key.Length, .. tag.Key, .. tag.Version]), .. payload];
        return (random.Next(5) == 0 ? Spoil(item) : item, random.Next(20) == 0 ? AnyFlags() : EntryFlags | Free());
    }

    /// <summary>The empty place of a value that is being made, or of a lease; with or without something in it.</summary>
    public (byte[] Data, uint Flags) Placeholder() => (random.Next(4) == 0 ? Bytes(random.Next(20)) : [], random.Next(3) == 0 ? AnyFlags() : LeaseFlags | Free());

    private uint Free() => (uint)random.Next((int)FreeBits + 1);

    /// <summary>The version of a tag of the hybrid cache.</summary>
    public (byte[] Data, uint Flags) TagVersion(byte[] stored)
        => (random.Next(3) switch { 0 => Bytes(16), 1 => Bytes(random.Next(40)), _ => Spoil(stored) }, random.Next(8) == 0 ? AnyFlags() : VersionFlags);

    /// <summary>A plain entry, with and without a deadline and a window.</summary>
    public (byte[] Data, uint Flags) PlainEntry()
    {
        uint flags = random.Next(6) == 0 ? AnyFlags() : Mark | ((uint)random.Next(2) << 23) | ((uint)random.Next(16) << 16) | (uint)(random.Next(3) switch { 0 => 0, 1 => 10, _ => random.Next(1 << 16) });
        byte[] deadline = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(deadline, AnyTime());
        return (random.Next(4) == 0 ? Bytes(random.Next(12)) : [.. deadline, .. Bytes(random.Next(60))], flags);
    }

    /// <summary>
    /// A page, or the version of a page's tag, from what was stored; a page's checksum is put right half of the time,
    /// as who spoils on purpose would.
    /// </summary>
    public (byte[] Data, uint Flags) OfOutputCache(byte[] stored, uint flags)
    {
        // The deadline stands before it.
        byte[] item = [.. stored];
        if (item.Length < 9 + 6 || item[8] != 0xA2)
        {
            return (random.Next(3) switch { 0 => Spoil(item), 1 => WithTime(item), _ => Bytes(random.Next(50)) }, random.Next(10) == 0 ? AnyFlags() : flags);
        }

        switch (random.Next(5))
        {
            case 0:
                item = WithTime(item);
                break;
            case 1:
                BinaryPrimitives.WriteUInt16BigEndian(item.AsSpan(9), (ushort)(random.Next(2) == 0 ? random.Next(70) : random.Next(ushort.MaxValue + 1)));
                break;
            case 2:
                random.NextBytes(item.AsSpan(15, Math.Min(item.Length - 15, random.Next(100))));
                break;
            case 3:
                item = [.. item[..15], .. Bytes(random.Next(4000))];
                BinaryPrimitives.WriteUInt16BigEndian(item.AsSpan(9), (ushort)random.Next(80));
                break;
            default:
                item = Spoil(item);
                break;
        }

        if (item.Length >= 15 && random.Next(2) == 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(item.AsSpan(11), Crc([.. item[8..11], .. item[15..]]));
        }

        return (item, random.Next(20) == 0 ? AnyFlags() : flags);
    }

    /// <summary>CRC-32C, bit by bit.</summary>
    private static uint Crc(byte[] bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78u);
            }
        }

        return crc;
    }

    private (byte[] Key, byte[] Version) NewTag(Func<string, byte[]?> versionOf)
    {
        string tag = "#@t" + random.Next(4);
        return (Encoding.ASCII.GetBytes(tag), random.Next(4) == 0 ? Bytes(16) : versionOf(tag) ?? Bytes(16));
    }

    private byte[] Payload(out byte kind)
    {
        kind = (byte)random.Next(5);
        return kind switch { 0 => [], 1 => Encoding.UTF8.GetBytes(random.Next(2) == 0 ? """{"Number":5,"Text":"x"}""" : random.Next().ToString(System.Globalization.CultureInfo.InvariantCulture)), 4 => [65, 0, 66], _ => "text"u8.ToArray() };
    }

    private byte[] WithTime(byte[] item)
    {
        byte[] changed = [.. item];
        if (changed.Length >= 8)
        {
            BinaryPrimitives.WriteInt64BigEndian(changed.AsSpan(random.Next(2) == 0 ? 0 : changed.Length - 8), AnyTime());
        }

        return changed;
    }

    private byte[] Spoil(byte[] item)
    {
        byte[] spoiled = [.. item];
        int at = random.Next(item.Length + 1);
        switch (random.Next(4))
        {
            case 0:
                return spoiled[..at];
            case 1:
                return [.. spoiled[..at], .. Bytes(random.Next(5)), .. spoiled[at..]];
            default:
                if (at < item.Length)
                {
                    spoiled[at] = (byte)random.Next(256);
                }

                return spoiled;
        }
    }

    private long AnyTime() => random.Next(3) switch
    {
        0 => Times[random.Next(Times.Length)],
        1 => random.NextInt64(long.MinValue, long.MaxValue),
        _ => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() + random.Next(-10_000, 100_000),
    };

    private uint AnyFlags() => random.Next(3) switch { 0 => 0, 1 => Mark | (uint)random.Next(1 << 24), _ => (uint)random.NextInt64(1L << 32) };

    private byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
