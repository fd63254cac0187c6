using System.Text;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class AdminReplyTests
{
    [Theory]
    [InlineData("stats")]
    [InlineData("stats items")]
    [InlineData("stats slabs")]
    [InlineData("stats sizes")]
    [InlineData("stats settings")]
    [InlineData("stats conns")]
    [InlineData("stats reset")]
    [InlineData("version")]
    [InlineData("flush_all")]
    [InlineData("flush_all 0")]
    [InlineData("flush_all 2592000")]
    public void Each_command_is_one_line(string text)
        => Assert.Equal(text + "\r\n", Encoding.ASCII.GetString(AdminCommand.Of(text).ToRequest()));

    [Theory]
    [InlineData("")]
    [InlineData("STATS")]
    [InlineData("stats ")]
    [InlineData("stats detail dump")]
    [InlineData("stats\r\nflush_all")]
    [InlineData("flush_all ")]
    [InlineData("flush_all -1")]
    [InlineData("flush_all 4294967296")]
    [InlineData("flush_all 1 noreply")]
    [InlineData("flush_all 1\r\nflush_all")]
    [InlineData("shutdown")]
    [InlineData("verbosity 1")]
    [InlineData("lru_crawler metadump all")]
    public void Nothing_else_is_a_command(string text) => Assert.Throws<ArgumentException>(() => AdminCommand.Of(text));

    [Theory]
    [InlineData("stats", "STAT pid 1|STAT version 1.6.18|STAT empty |STAT none|END", "pid=1,version=1.6.18,empty=,none=")]
    [InlineData("stats conns", "STAT 22:addr tcp:127.0.0.1:1|STAT 22:state conn_waiting for it|END", "22:addr=tcp:127.0.0.1:1,22:state=conn_waiting for it")]
    [InlineData("stats items", "END", "")]
    [InlineData("stats reset", "RESET", "")]
    [InlineData("version", "VERSION 1.6.18", "version=1.6.18")]
    [InlineData("flush_all", "OK", "")]
    [InlineData("flush_all 5", "OK", "")]
    public void Reads_what_memcached_says(string command, string lines, string expected)
    {
        AdminReply reply = Read(command, lines.Split('|'))!;
        Assert.True(reply.IsAnswer);
        Assert.Equal(expected, string.Join(',', reply.Lines.Select(static line => line.Name + "=" + line.Value)));
    }

    [Theory]
    [InlineData("stats", "STAT pid 1|SERVER_ERROR busy", "SERVER_ERROR busy")]
    [InlineData("stats settings", "ERROR", "ERROR")]
    [InlineData("flush_all 5", "CLIENT_ERROR bad command line format", "CLIENT_ERROR bad command line format")]
    public void An_error_line_is_quoted(string command, string lines, string error)
    {
        AdminReply reply = Read(command, lines.Split('|'))!;
        Assert.Equal((false, error), (reply.IsAnswer, reply.Error));
        Assert.Empty(reply.Lines);
    }

    [Theory]
    [InlineData("stats", "OK")]
    [InlineData("stats", "RESET")]
    [InlineData("stats", "VALUE k 0 1")]
    [InlineData("stats reset", "END")]
    [InlineData("flush_all", "END")]
    [InlineData("flush_all", "VERSION 1.6.18")]
    [InlineData("version", "OK")]
    [InlineData("version", "")]
    public void Another_line_is_no_answer(string command, string line)
        => Assert.Same(AdminReply.None, Read(command, [line]));

    [Fact]
    public void Endless_lines_are_no_answer()
        => Assert.Same(AdminReply.None, Read("stats", Enumerable.Repeat("STAT a b", AdminReply.MostLines + 1).ToArray()));

    private static AdminReply? Read(string command, IEnumerable<string> lines)
    {
        var reader = new AdminReply.Reader(AdminCommand.Of(command));
        AdminReply? reply = null;
        foreach (string line in lines)
        {
            Assert.Null(reply);
            reply = reader.Read(Encoding.Latin1.GetBytes(line));
        }

        return reply;
    }
}
