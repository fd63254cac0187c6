using System.Text;
using CsCheck;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class ServerStatisticsTests
{
    /// <summary>As memcached 1.6.18 says it, shortened.</summary>
    private const string Reply =
        "STAT pid 42\r\nSTAT uptime 90\r\nSTAT version 1.6.18\r\nSTAT rusage_user 0.01\r\nSTAT curr_connections 7\r\nSTAT get_hits 12\r\nSTAT get_misses 3\r\n"
        + "STAT limit_maxbytes 67108864\r\nSTAT bytes 4096\r\nSTAT curr_items 5\r\nSTAT evictions 2\r\nEND\r\n";

    [Fact]
    public void It_is_read_however_it_is_cut()
    {
        for (int length = 0; length < Reply.Length; length++)
        {
            Assert.Equal(ServerStatistics.Progress.Incomplete, Read(Reply[..length], out ServerStatistics? part));
            Assert.Null(part);
        }

        Assert.Equal(ServerStatistics.Progress.Complete, Read(Reply, out ServerStatistics? whole));
        Assert.Equal(new ServerStatistics(5, 4096, 67108864, 7, 2, 12, 3, 90), whole);
    }

    [Theory]
    [InlineData("", 0, false)] // a server that is set not to move pages says nothing of it
    [InlineData("STAT slab_reassign_rescues 0\r\nSTAT slab_reassign_running 0\r\n", 0, false)]
    [InlineData("STAT slab_reassign_rescues 539\r\nSTAT slab_reassign_chunk_rescues 7\r\nSTAT slab_reassign_running 1\r\n", 539, true)]
    [InlineData("STAT slab_reassign_rescues 539\r\nSTAT recache_from_extstore 61\r\nSTAT slab_reassign_running 0\r\n", 600, false)]
    public void It_tells_how_many_items_were_numbered_anew(string more, long renumbered, bool isMovingPage)
    {
        Assert.Equal(ServerStatistics.Progress.Complete, Read(more + Reply, out ServerStatistics? whole));
        Assert.Equal((renumbered, isMovingPage), (whole!.Renumbered, whole.IsMovingPage));
    }

    [Theory]
    [InlineData("STAT slab_reassign_rescues -1\r\n")]
    [InlineData("STAT slab_reassign_running yes\r\n")]
    public void A_count_that_is_none_is_not_taken_for_one_that_is_not_kept(string more)
        => Assert.Equal(ServerStatistics.Progress.Invalid, Read(more + Reply, out _));

    [Theory]
    [InlineData("ERROR\r\n")]
    [InlineData("CLIENT_ERROR no\r\n")]
    [InlineData("END\r\n")]
    [InlineData("STAT pid 42\nEND\r\n")]
    [InlineData("STAT\r\n")]
    [InlineData("HTTP/1.1 400 Bad Request\r\n")]
    [InlineData(Reply + "E")]
    [InlineData("\r\n")]
    public void Anything_else_is_refused(string reply) => Assert.Equal(ServerStatistics.Progress.Invalid, Read(reply, out _));

    [Theory]
    [InlineData("get_hits 12", "get_hits -1")]
    [InlineData("get_hits 12", "get_hits 12.5")]
    [InlineData("get_hits 12", "get_hits 99999999999999999999")]
    [InlineData("get_hits 12", "get_hits ")]
    [InlineData("get_hits 12", "get_hit 12")]
    public void A_number_that_is_missing_or_none_is_refused(string before, string after)
        => Assert.Equal(ServerStatistics.Progress.Invalid, Read(Reply.Replace(before, after, StringComparison.Ordinal), out _));

    [Fact]
    public void Random_bytes_are_never_an_answer()
    {
        Gen<int> places = Gen.Int[0, Reply.Length - 1];
        Gen.Select(places, Gen.Byte, places).Sample(
            static (changed, value, length) =>
            {
                byte[] bytes = Encoding.ASCII.GetBytes(Reply);
                bytes[changed] = value;
                ServerStatistics.TryRead(bytes.AsSpan(0, length), out ServerStatistics? read);
                Assert.Null(read);
            },
            iter: 20_000,
            threads: 1);
    }

    [Theory]
    [InlineData("9223372036854775807")]
    [InlineData("9223372036854775808")]
    [InlineData("18446744073709551615")]
    public void A_count_beyond_what_we_keep_is_the_largest_that_we_keep(string number)
    {
        Assert.Equal(
            ServerStatistics.Progress.Complete,
            Read(Reply.Replace("get_hits 12", "get_hits " + number, StringComparison.Ordinal), out ServerStatistics? statistics));
        Assert.Equal(long.MaxValue, statistics!.Hits);
    }

    private static ServerStatistics.Progress Read(string text, out ServerStatistics? statistics)
        => ServerStatistics.TryRead(Encoding.ASCII.GetBytes(text), out statistics);
}
