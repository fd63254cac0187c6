using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Consistent hashing: each server owns points on a ring of 2³² in proportion to its weight, and a key belongs to the first point at or
/// after its hash. Points depend on a server's address alone, so a server that joins or leaves moves only its own share of the keys.
/// Past <see cref="MostPoints"/> each server has fewer points rather than the ring more.
/// Immutable; a look-up allocates nothing and takes a table read and on average one or two steps.
/// </summary>
internal sealed class HashRing
{
    /// <summary>
    /// About how many points a ring has at the most: as many as 409 servers of equal weight. It bounds the time and the
    /// memory that a reload takes. The points of a server are always the first of one sequence, so that a ring which
    /// grows past the bound moves only the keys of the points that go.
    /// </summary>
    public const int MostPoints = 1 << 18;

    /// <summary>Points of a server of weight 1: 160 left one of 100 servers with 23 % more than its share.</summary>
    private const int PointsPerWeight = 640;

    private readonly uint[] _points;
    private readonly int[] _owners;
    private readonly int[] _starts; // index of the first point of each equal slice of the ring
    private readonly int _shift;

    /// <summary>Builds the ring of servers, each an identity and a weight.</summary>
    public HashRing(IReadOnlyList<(string Identity, int Weight)> servers)
    {
        int[] counts = PointsOf([.. servers.Select(static server => server.Weight)]);
        var points = new List<(uint Point, string Identity, int Owner)>(counts.Sum());
        for (int owner = 0; owner < servers.Count; owner++)
        {
            AddPoints(points, servers[owner].Identity, counts[owner], owner);
        }

        // Equal points are ordered by identity, so that every process decides alike whatever the order of its configuration.
        points.Sort(static (a, b) => a.Point != b.Point ? a.Point.CompareTo(b.Point) : string.CompareOrdinal(a.Identity, b.Identity));
        _points = [.. points.Select(static p => p.Point)];
        _owners = [.. points.Select(static p => p.Owner)];

        int bits = Math.Clamp(BitOperations.Log2((uint)_points.Length) + 1, 1, 20);
        _shift = 32 - bits;
        _starts = new int[1 << bits];
        int next = 0;
        for (int slice = 0; slice < _starts.Length; slice++)
        {
            while (next < _points.Length && _points[next] < (uint)slice << _shift)
            {
                next++;
            }

            _starts[slice] = next;
        }
    }

    /// <summary>How many points there are.</summary>
    public int Count => _points.Length;

    /// <summary>The index of the server that owns a hash.</summary>
    public int Find(uint hash) => _owners[IndexOf(hash)];

    /// <summary>The index of the server that owns a point; past the last point the first follows.</summary>
    public int OwnerAt(int index) => _owners[index % _owners.Length];

    /// <summary>The index of the point at or after a hash.</summary>
    public int IndexOf(uint hash)
    {
        uint[] points = _points;
        int i = _starts[hash >> _shift];
        while (i < points.Length && points[i] < hash)
        {
            i++;
        }

        return i < points.Length ? i : 0;
    }

    /// <summary>
    /// The hash of a key's bytes: CRC-32C, which the processor computes eight bytes at a time, and a finalizer that spreads its bits.
    /// Part of the wire contract: another function would look for every key on another server.
    /// </summary>
    public static uint Hash(ReadOnlySpan<byte> key)
    {
        uint crc = uint.MaxValue;
        while (key.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(key));
            key = key[sizeof(ulong)..];
        }

        foreach (byte b in key)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        crc ^= crc >> 16;
        crc *= 0x85EBCA6B;
        crc ^= crc >> 13;
        crc *= 0xC2B2AE35;
        return crc ^ (crc >> 16);
    }

    /// <summary>
    /// How many points each server has. Part of the wire contract, like the hash. Weights are not divided by their
    /// common factor, though that would make smaller rings: the factor goes with the servers, so one of weight 1 that
    /// joins three of weight 100 would move two thirds of the keys.
    /// </summary>
    private static int[] PointsOf(int[] weights)
    {
        long total = weights.Sum(static weight => (long)weight * PointsPerWeight);
        double share = Math.Min(1.0, (double)MostPoints / total);
        return Array.ConvertAll(weights, weight => Math.Max(1, (int)(weight * PointsPerWeight * share)));
    }

    private static void AddPoints(List<(uint Point, string Identity, int Owner)> points, string identity, int count, int owner)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        Span<uint> words = MemoryMarshal.Cast<byte, uint>(digest);
        for (int i = 0; i < count; i++)
        {
            if (i % words.Length == 0)
            {
                SHA256.HashData(Encoding.UTF8.GetBytes($"{identity}-{i / words.Length}"), digest);
            }

            uint point = words[i % words.Length];
            points.Add((BitConverter.IsLittleEndian ? point : BinaryPrimitives.ReverseEndianness(point), identity, owner));
        }
    }
}
