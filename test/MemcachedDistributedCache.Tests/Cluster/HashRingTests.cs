using System.Text;
using MemcachedDistributedCache.Cluster;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class HashRingTests
{
    private const int Keys = 200_000;

    [Theory]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(100)]
    public void Every_server_has_its_share_within_fifteen_percent(int servers)
    {
        var shares = Shares(new HashRing(Servers(servers)), servers);
        double expected = (double)Keys / servers;
        double worst = shares.Max(share => Math.Abs(share - expected) / expected);
        Assert.True(worst <= 0.15, $"the worst of {servers} shares is {worst:P1} off");
    }

    [Fact]
    public void Weights_are_proportions()
    {
        int[] weights = [1, 2, 5, 10];
        var ring = new HashRing([.. weights.Select(static (weight, i) => ($"mc{i}:11211", weight))]);
        int[] shares = Shares(ring, weights.Length);
        for (int i = 0; i < weights.Length; i++)
        {
            double expected = Keys * weights[i] / (double)weights.Sum();
            Assert.InRange(shares[i], expected * 0.8, expected * 1.2);
        }
    }

    [Theory]
    [InlineData(2, 2, 1)]
    [InlineData(100, 100, 1)]
    [InlineData(10, 10, 5)]
    public void A_server_of_another_weight_that_joins_moves_nothing_between_the_others(int first, int second, int joining)
    {
        var before = new HashRing([("mc1:11211", first), ("mc2:11211", second)]);
        var after = new HashRing([("mc1:11211", first), ("mc2:11211", second), ("mc3:11211", joining)]);
        Assert.All(Hashes(), hash => Assert.True(after.Find(hash) == 2 || after.Find(hash) == before.Find(hash)));
    }

    [Fact]
    public void A_large_ring_with_odd_weights_has_bounded_points_and_right_shares()
    {
        int[] weights = [.. Enumerable.Range(0, 50).Select(static i => 100 - (i % 2))];
        var ring = new HashRing([.. weights.Select(static (weight, i) => ($"mc{i}:11211", weight))]);
        Assert.InRange(ring.Count, HashRing.MostPoints * 0.99, HashRing.MostPoints);
        int[] shares = Shares(ring, weights.Length);
        double expected = Keys / (double)weights.Length;
        Assert.All(shares, share => Assert.InRange(share, expected * 0.9, expected * 1.1));
    }

    [Fact]
    public void A_ring_that_grows_past_the_bound_moves_little_more_than_the_new_share()
    {
        var before = new HashRing(Servers(409));
        var after = new HashRing(Servers(430));
        int moved = Hashes().Count(hash => after.Find(hash) != before.Find(hash));
        Assert.InRange(moved, Keys * 21 / 430 / 2, Keys * 21 / 430 * 2.5);
    }

    [Fact]
    public void A_server_that_joins_takes_its_share_and_moves_nothing_else()
    {
        var before = new HashRing(Servers(9));
        var after = new HashRing(Servers(10));
        int moved = 0;
        foreach (uint hash in Hashes())
        {
            int now = after.Find(hash);
            if (now != before.Find(hash))
            {
                Assert.Equal(9, now);
                moved++;
            }
        }

        Assert.InRange(moved, Keys / 10 * 0.8, Keys / 10 * 1.2);
    }

    [Fact]
    public void The_order_of_the_servers_is_nothing()
    {
        (string Identity, int Weight)[] servers = Servers(7);
        (string Identity, int Weight)[] shuffled = [.. servers.Reverse()];
        var one = new HashRing(servers);
        var other = new HashRing(shuffled);
        Assert.All(Hashes().Take(20_000), hash => Assert.Equal(servers[one.Find(hash)].Identity, shuffled[other.Find(hash)].Identity));
    }

    [Theory]
    [InlineData("a", 3447306694u)]
    [InlineData("key", 2496808901u)]
    [InlineData("session|0123456789abcdef", 1555590578u)]
    [InlineData("12345678", 84750930u)]
    [InlineData("#47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", 734086787u)]
    public void Hashes_are_a_wire_contract(string key, uint expected)
        => Assert.Equal(expected, HashRing.Hash(Encoding.UTF8.GetBytes(key)));

    [Fact]
    public void Assignments_are_a_wire_contract()
    {
        (string Identity, int Weight)[] servers = [("mc1:11211", 1), ("mc2:11211", 2), ("[::1]:11213", 1)];
        var ring = new HashRing(servers);
        string assigned = string.Concat(Enumerable.Range(0, 48).Select(i => ring.Find(HashRing.Hash(Encoding.ASCII.GetBytes($"key:{i}")))));
        Assert.Equal("020210201012212111001021100011022011121110111111", assigned);
    }

    [Fact]
    public void Finds_what_a_simple_search_finds()
    {
        (string Identity, int Weight)[] servers = Servers(3);
        var ring = new HashRing(servers);
        List<(uint Point, int Owner)> points = Points(servers);
        var random = new Random(7);
        uint[] edges = [0, 1, uint.MaxValue, uint.MaxValue - 1, points[0].Point, points[^1].Point, points[^1].Point + 1, 0x80000000, 0x7fffffff];
        IEnumerable<uint> hashes = edges.Concat(points.SelectMany(static p => (uint[])[p.Point - 1, p.Point, p.Point + 1]))
            .Concat(Enumerable.Range(0, 50_000).Select(_ => (uint)random.NextInt64(0, 1L << 32)));
        foreach (uint hash in hashes)
        {
            int at = points.FindIndex(p => p.Point >= hash);
            Assert.Equal(points[Math.Max(at, 0)].Owner, ring.Find(hash));
        }
    }

    [Fact]
    public void Looking_up_allocates_nothing()
    {
        var ring = new HashRing(Servers(20));
        byte[] key = "a key of some length"u8.ToArray();
        _ = ring.Find(HashRing.Hash(key));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            key[0] = (byte)i;
            _ = ring.Find(HashRing.Hash(key));
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static List<(uint Point, int Owner)> Points((string Identity, int Weight)[] servers)
    {
        var points = new List<(uint, int)>();
        for (int owner = 0; owner < servers.Length; owner++)
        {
            for (int i = 0; i < servers[owner].Weight * 640; i += 8)
            {
                byte[] digest = System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes($"{servers[owner].Identity}-{i / 8}"));
                for (int word = 0; word < 8; word++)
                {
                    points.Add((BitConverter.ToUInt32(digest, word * 4), owner));
                }
            }
        }

        points.Sort();
        return points;
    }

    private static (string Identity, int Weight)[] Servers(int count) => [.. Enumerable.Range(1, count).Select(static i => ($"mc{i}:11211", 1))];

    private static int[] Shares(HashRing ring, int servers)
    {
        int[] shares = new int[servers];
        foreach (uint hash in Hashes())
        {
            shares[ring.Find(hash)]++;
        }

        return shares;
    }

    private static IEnumerable<uint> Hashes() => Enumerable.Range(0, Keys).Select(static i => HashRing.Hash(Encoding.ASCII.GetBytes($"app|user:{i}")));
}
