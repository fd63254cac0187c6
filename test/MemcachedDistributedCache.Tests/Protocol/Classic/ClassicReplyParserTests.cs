using System.Text;
using MemcachedDistributedCache.Protocol.Classic;

namespace MemcachedDistributedCache.Tests.Protocol.Classic;

public sealed class ClassicReplyParserTests
{
    [Theory]
    [InlineData("END", "End")]
    [InlineData("STORED", "Stored")]
    [InlineData("NOT_STORED", "NotStored")]
    [InlineData("EXISTS", "Exists")]
    [InlineData("NOT_FOUND", "NotFound")]
    [InlineData("DELETED", "Deleted")]
    [InlineData("TOUCHED", "Touched")]
    [InlineData("VERSION 1.4.15", "Version")]
    [InlineData("VERSION 37.0.0 mcrouter", "Version")]
    [InlineData("SERVER_ERROR object too large for cache", "TooLarge")]
    [InlineData("SERVER_ERROR out of memory storing object", "OutOfMemory")]
    [InlineData("SERVER_ERROR Out of memory during read", "OutOfMemory")]
    [InlineData("SERVER_ERROR connection refused", "ServerError")]
    [InlineData("SERVER_ERROR", "ServerError")]
    [InlineData("ERROR", "NotUnderstood")]
    [InlineData("ERROR unknown", "NotUnderstood")]
    [InlineData("CLIENT_ERROR bad command line format", "NotUnderstood")]
    [InlineData("CLIENT_ERROR", "NotUnderstood")]
    public void Every_line_is_known(string line, string expected)
    {
        Assert.True(ClassicReplyParser.TryParse(Bytes(line), out ClassicReply reply));
        Assert.Equal(expected, reply.Line.ToString());
    }

    [Theory]
    [InlineData("VALUE k 0 0", "k", 0u, 0, 0ul)]
    [InlineData("VALUE k 0 5 7", "k", 0u, 5, 7ul)]
    [InlineData("VALUE #=a:b 3307208704 2147483647 18446744073709551615", "#=a:b", 3307208704u, int.MaxValue, ulong.MaxValue)]
    [InlineData("VALUE k -987758596 1 1", "k", 3307208700u, 1, 1ul)] // 1.4.15 writes flags as a signed number
    [InlineData("VALUE k -2147483648 1 1", "k", 2147483648u, 1, 1ul)]
    [InlineData("VALUE k 18446744073709551615 1 1", "k", uint.MaxValue, 1, 1ul)] // a server built with flags of 64 bits
    public void An_item_is_read(string line, string key, uint flags, int length, ulong cas)
    {
        Assert.True(ClassicReplyParser.TryParse(Bytes(line), out ClassicReply reply));
        Assert.Equal(ClassicLine.Value, reply.Line);
        Assert.Equal((key, flags, length, cas), (Encoding.Latin1.GetString(reply.Key), reply.Flags, reply.Length, reply.Cas));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("VALUE")]
    [InlineData("VALUE ")]
    [InlineData("VALUE k")]
    [InlineData("VALUE k 0")]
    [InlineData("VALUE k 0 ")]
    [InlineData("VALUE  0 5 7")]
    [InlineData("VALUE k  0 5 7")]
    [InlineData("VALUE k 0 5 ")]
    [InlineData("VALUE k 0 5 7 ")]
    [InlineData("VALUE k 0 5 7 8")]
    [InlineData("VALUE k 0 -5 7")]
    [InlineData("VALUE k 0 2147483648 7")]
    [InlineData("VALUE k 0 5 18446744073709551616")]
    [InlineData("VALUE k --1 5 7")]
    [InlineData("VALUE k - 5 7")]
    [InlineData("VALUE k -2147483649 5 7")]
    [InlineData("VALUE k x 5 7")]
    [InlineData("VALUE k 0 5 7x")]
    [InlineData("value k 0 5 7")]
    [InlineData("END ")]
    [InlineData("ENDS")]
    [InlineData("STORED ")]
    [InlineData("stored")]
    [InlineData("VERSION")]
    [InlineData("VERSION ")]
    [InlineData("OK")]
    [InlineData("HD O1")]
    [InlineData("EN")]
    [InlineData("MN")]
    [InlineData("5 ")]
    [InlineData("-5")]
    [InlineData("18446744073709551616")]
    [InlineData("CLIENT_ERRORS")]
    [InlineData("ERRORS")]
    [InlineData("SERVER_ERRORS")]
    public void Anything_else_is_refused(string line) => Assert.False(ClassicReplyParser.TryParse(Bytes(line), out _));

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);
}
