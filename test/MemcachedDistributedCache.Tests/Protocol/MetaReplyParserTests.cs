using System.Text;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class MetaReplyParserTests
{
    [Theory]
    [InlineData("VA 0", "Value", 0, 0u, 0, null)]
    [InlineData("VA 5 f0 t-1 O1", "Value", 5, 0u, -1, 1u)]
    [InlineData("VA 5 O1 t30 f7", "Value", 5, 7u, 30, 1u)]
    [InlineData("VA 2147483647 f4294967295 t2147483647 O4294967295", "Value", int.MaxValue, uint.MaxValue, int.MaxValue, uint.MaxValue)]
    [InlineData("HD", "Done", 0, 0u, 0, null)]
    [InlineData("HD O0", "Done", 0, 0u, 0, 0u)]
    [InlineData("HD f3305111552 t0 O17", "Done", 0, 3305111552u, 0, 17u)]
    [InlineData("EN O3", "Miss", 0, 0u, 0, 3u)]
    [InlineData("NF O3", "NotFound", 0, 0u, 0, 3u)]
    [InlineData("NS O3", "NotStored", 0, 0u, 0, 3u)]
    [InlineData("EX O3", "Exists", 0, 0u, 0, 3u)]
    [InlineData("MN", "NoOp", 0, 0u, 0, null)]
    [InlineData("SERVER_ERROR object too large for cache", "TooLarge", 0, 0u, 0, null)]
    [InlineData("SERVER_ERROR out of memory storing object", "OutOfMemory", 0, 0u, 0, null)]
    [InlineData("VA 5 f4294967296 O1", "Value", 5, uint.MaxValue, 0, 1u)]
    [InlineData("VA 5 f18446744073709551615 O1", "Value", 5, uint.MaxValue, 0, 1u)]
    [InlineData("VA 5 t2147483648 O1", "Value", 5, 0u, int.MaxValue, 1u)]
    [InlineData("VA 5 t4294967295 O1", "Value", 5, 0u, int.MaxValue, 1u)]
    [InlineData("SERVER_ERROR Out of memory during read", "OutOfMemory", 0, 0u, 0, null)]
    [InlineData("SERVER_ERROR out of memory", "OutOfMemory", 0, 0u, 0, null)]
    [InlineData("CLIENT_ERROR cannot increment or decrement non-numeric value", "NotNumeric", 0, 0u, 0, null)]
    [InlineData("CLIENT_ERROR cannot increment or decrement non-numeric value ", "Error", 0, 0u, 0, null)]
    [InlineData("HD s5 f7 t9 c3 h1 l20 O1", "Done", 5, 7u, 9, 1u)]
    [InlineData("ERROR", "Error", 0, 0u, 0, null)]
    [InlineData("ERROR Too many open connections", "Error", 0, 0u, 0, null)]
    [InlineData("CLIENT_ERROR bad command line format", "Error", 0, 0u, 0, null)]
    [InlineData("SERVER_ERROR", "Error", 0, 0u, 0, null)]
    [InlineData("SERVER_ERROR: shutdown not enabled", "Error", 0, 0u, 0, null)]
    [InlineData("SERVER_ERROR object too large for cache ", "Error", 0, 0u, 0, null)]
    [InlineData("HD O007", "Done", 0, 0u, 0, 7u)]
    public void Reads_what_memcached_says(string line, string code, int length, uint flags, int timeToLive, uint? opaque)
    {
        Assert.True(MetaReplyParser.TryParse(Encoding.ASCII.GetBytes(line), out MetaReply reply));
        Assert.Equal(Enum.Parse<ReplyCode>(code), reply.Code);
        Assert.Equal(length, reply.Length);
        Assert.Equal(flags, reply.Flags);
        Assert.Equal(timeToLive, reply.TimeToLive);
        Assert.Equal(opaque.HasValue, reply.HasOpaque);
        Assert.Equal(opaque ?? 0, reply.Opaque);
    }

    [Theory]
    [InlineData("VA 5 f0 t9 O1 W")]
    [InlineData("VA 5 f0 t9 O1 Z")]
    [InlineData("VA 5 f0 t9 O1 X W")]
    [InlineData("VA 5 f0 t9 O1 Z X")]
    [InlineData("HD f0 t9 O1 X W")]
    [InlineData("HD f0 t9 O1 Z")]
    public void Reads_the_marks_that_memcached_adds_unasked(string line)
    {
        // proto_parser.c, process_mget_command: an item that any client made stale (md I) or holds by a lease (mg N, R) answers with
        // W, X or Z whether they were asked for or not. Such a key must not cost everybody the connection.
        Assert.True(MetaReplyParser.TryParse(Encoding.ASCII.GetBytes(line), out MetaReply reply));
        Assert.Equal(1u, reply.Opaque);
        Assert.Equal(9, reply.TimeToLive);
    }

    [Theory]
    [InlineData("")]
    [InlineData("V")]
    [InlineData("VA")]
    [InlineData("VA ")]
    [InlineData("VA5")]
    [InlineData("VA  5")]
    [InlineData("VA -1")]
    [InlineData("VA +1")]
    [InlineData("VA 0x1")]
    [InlineData("VA 1.0")]
    [InlineData("VA 2147483648")]
    [InlineData("VA 4294967296 O1")]
    [InlineData("VA 18446744073709551616 O1")]
    [InlineData("VA 99999999999999999999999999999999999 O1")]
    [InlineData("VA f0 O1")]
    [InlineData("VA 5 O")]
    [InlineData("VA 5 O1 O1")]
    [InlineData("VA 5 O1 O2")]
    [InlineData("VA 5 O-1")]
    [InlineData("VA 5 O4294967296")]
    [InlineData("VA 5 O1x")]
    [InlineData("VA 5 f")]
    [InlineData("VA 5 f-1")]
    [InlineData("VA 5 f18446744073709551616")]
    [InlineData("VA 5 t")]
    [InlineData("VA 5 t-")]
    [InlineData("VA 5 t-2")]
    [InlineData("VA 5 t--1")]
    [InlineData("VA 5 t4294967296")]
    [InlineData("VA 5 k1")]
    [InlineData("VA 5 s5")]
    [InlineData("HD s")]
    [InlineData("HD s-1")]
    [InlineData("HD s2147483648")]
    [InlineData("HD h")]
    [InlineData("HD h2")]
    [InlineData("HD h-1")]
    [InlineData("HD l")]
    [InlineData("HD l-1")]
    [InlineData("HD l4294967296")]
    [InlineData("VA 5 q0")]
    [InlineData("VA\t5")]
    [InlineData("va 5")]
    [InlineData("HDO1")]
    [InlineData("HD\tO1")]
    [InlineData("HD 1")]
    [InlineData("hd")]
    [InlineData("MN O1")]
    [InlineData("MN ")]
    [InlineData("server_error object too large for cache")]
    [InlineData("ERRORS")]
    [InlineData("ERR")]
    [InlineData("SERVER_ERROR_ out of memory")]
    [InlineData(" ERROR")]
    [InlineData("ERROR\t")]
    [InlineData("VERSION 1.6.18")]
    [InlineData("END")]
    [InlineData("STORED")]
    [InlineData("VALUE k 0 5")]
    [InlineData("HD O1\r")]
    [InlineData("HD O1\0")]
    [InlineData("HD \u00b11")]
    public void Refuses_anything_else(string line)
        => Assert.False(MetaReplyParser.TryParse(Encoding.Latin1.GetBytes(line), out _));

    [Fact]
    public void Never_throws_on_prefixes_and_single_byte_changes()
    {
        byte[] line = "VA 512 f3305111552 t-1 O4294967295"u8.ToArray();
        for (int i = 0; i <= line.Length; i++)
        {
            _ = MetaReplyParser.TryParse(line.AsSpan(0, i), out _);
        }

        for (int i = 0; i < line.Length; i++)
        {
            byte kept = line[i];
            for (int value = 0; value < 256; value++)
            {
                line[i] = (byte)value;
                if (MetaReplyParser.TryParse(line, out MetaReply reply))
                {
                    Assert.True(reply.TimeToLive >= -1 && reply.Length >= 0);
                }
            }

            line[i] = kept;
        }
    }

    [Theory]
    [InlineData("HD  O7", ReplyCode.Done, 7u)] // up to 1.6.17: two spaces
    [InlineData("NF  O8", ReplyCode.NotFound, 8u)]
    [InlineData("HD ", ReplyCode.Done, null)] // and one at the end
    [InlineData("OK  O7", ReplyCode.Done, 7u)] // -o meta_response_old
    [InlineData("EN", ReplyCode.Miss, null)]
    [InlineData("VA 0 f0 t30 O13 Z X", ReplyCode.Value, 13u)]
    public void Reads_what_older_servers_say(string line, object code, uint? opaque)
    {
        Assert.True(MetaReplyParser.TryParse(System.Text.Encoding.ASCII.GetBytes(line), out MetaReply reply));
        Assert.Equal((ReplyCode)code, reply.Code);
        Assert.Equal(opaque, reply.HasOpaque ? reply.Opaque : null);
    }

    [Theory]
    [InlineData("0", 0ul)]
    [InlineData("18446744073709551", 18446744073709551ul)]
    [InlineData("1844674407370955161", 1844674407370955161ul)] // a tenth of all numbers
    [InlineData("1844674407370955162", 1844674407370955162ul)]
    [InlineData("9223372036854775808", 9223372036854775808ul)]
    [InlineData("18446744073709551609", 18446744073709551609ul)]
    [InlineData("18446744073709551615", ulong.MaxValue)]
    [InlineData("0018446744073709551615", ulong.MaxValue)]
    public void Reads_every_CAS_that_a_client_can_give_an_item(string text, ulong cas)
    {
        Assert.True(MetaReplyParser.TryParse(Encoding.ASCII.GetBytes($"HD c{text} O1"), out MetaReply reply));
        Assert.Equal((cas, 1u), (reply.Cas, reply.Opaque));
    }

    [Theory]
    [InlineData("18446744073709551616")]
    [InlineData("18446744073709551619")]
    [InlineData("18446744073709551620")]
    [InlineData("99999999999999999999")]
    [InlineData("184467440737095516150")]
    [InlineData("-1")]
    [InlineData("")]
    public void Refuses_a_CAS_that_is_no_number_of_64_bits(string text)
        => Assert.False(MetaReplyParser.TryParse(Encoding.ASCII.GetBytes($"HD c{text} O1"), out _));
}
