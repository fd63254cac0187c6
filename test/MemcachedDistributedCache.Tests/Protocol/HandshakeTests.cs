using System.Text;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class HandshakeTests
{
    private const string Settings = "STAT maxbytes 67108864\r\nSTAT item_size_max 2097152\r\nSTAT tcp_backlog 1024\r\nEND\r\nMN\r\n";

    [Fact]
    public void Asks() => Assert.Equal("version\r\nstats settings\r\nmn\r\n", Encoding.ASCII.GetString(new Handshake().Request));

    [Theory]
    [InlineData("1.6.10")]
    [InlineData("1.6.18")]
    [InlineData("1.6.38")]
    [InlineData("1.6.18-embedded")]
    [InlineData("1.7.0")]
    [InlineData("1.10.0")]
    [InlineData("2.0.0")]
    [InlineData("2.0")]
    public void Takes_a_server_that_speaks_meta(string version)
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes($"VERSION {version}\r\n{Settings}")));
        Assert.Null(handshake.Error);
        Assert.Equal(version, handshake.ServerVersion);
        Assert.Equal(2097152, handshake.ItemSizeMax);
    }

    [Theory]
    [InlineData("1.6.10", false)]
    [InlineData("1.6.23", false)]
    [InlineData("1.6.24", true)]
    [InlineData("1.6.24-rc1", true)]
    [InlineData("1.6.38", true)]
    [InlineData("1.7.0", true)]
    [InlineData("2.0.0", false)] // none that is known
    [InlineData("37.0.0 mcrouter", false)]
    public void Knows_whether_items_keep_their_numbers(string version, bool keeps)
    {
        var handshake = new Handshake();
        Assert.False(handshake.KeepsCas);
        Assert.True(handshake.Advance(Bytes($"VERSION {version}\r\n{Settings}")));
        Assert.Equal(keeps, handshake.KeepsCas);
    }

    [Theory]
    [InlineData("1.4.14")]
    [InlineData("1.4.0")]
    [InlineData("1.4")]
    [InlineData("1.2.8")]
    [InlineData("1.0")]
    public void Refuses_an_old_server_and_names_its_version(string version)
    {
        foreach (MemcachedProtocol protocol in Enum.GetValues<MemcachedProtocol>())
        {
            var handshake = new Handshake(protocol);
            Assert.True(handshake.Advance(Bytes($"VERSION {version}\r\n")));
            Assert.Contains(version, handshake.Error, StringComparison.Ordinal);
            Assert.Contains("1.4.15 or newer", handshake.Error, StringComparison.Ordinal);
            Assert.Null(handshake.ServerVersion);
        }
    }

    [Theory]
    [InlineData("1.4.15", "ERROR")] // each as that release answers
    [InlineData("1.4.39", "ERROR")]
    [InlineData("1.5.22", "EN")]
    [InlineData("1.6", "MN")]
    [InlineData("1.6.0", "MN")]
    [InlineData("1.6.9", "MN")]
    [InlineData("unknown", "ERROR")]
    [InlineData("0.5.0", "ERROR")]
    public void Asks_a_server_that_would_take_a_value_for_a_command_by_classic_commands(string version, string answer)
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes($"VERSION {version}\r\nSTAT item_size_max 2097152\r\nEND\r\n{answer}\r\n")));
        Assert.Null(handshake.Error);
        Assert.True(handshake.IsClassic);
        Assert.Equal((version, 2097152), (handshake.ServerVersion, handshake.ItemSizeMax));

        var meta = new Handshake(MemcachedProtocol.Meta);
        Assert.True(meta.Advance(Bytes($"VERSION {version}\r\n")));
        Assert.Contains("1.6.10 or newer is needed", meta.Error, StringComparison.Ordinal);
        Assert.Contains("Protocol", meta.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.6.18")] // twemproxy passes the question on
    [InlineData("1.4.15")]
    [InlineData("0.5.0")]
    [InlineData("37.0.0 mcrouter")]
    public void Asks_for_no_more_than_the_version_where_the_peer_may_know_no_more(string version)
    {
        var handshake = new Handshake(MemcachedProtocol.Classic);
        Assert.Equal("version\r\n", Encoding.ASCII.GetString(handshake.Request));
        Assert.True(handshake.Advance(Bytes($"VERSION {version}\r\n")));
        Assert.Null(handshake.Error);
        Assert.Equal((true, 0, version), (handshake.IsClassic, handshake.ItemSizeMax, handshake.ServerVersion));
    }

    [Theory]
    [InlineData("SERVER_ERROR Connection refused")] // twemproxy, when the server that it passes the question to is away
    [InlineData("SERVER_ERROR Connection timed out")]
    [InlineData("ERROR")]
    public void Takes_a_proxy_that_does_not_tell_a_version_for_one_without_meta_commands(string answer)
    {
        var alone = new Handshake(MemcachedProtocol.Classic);
        Assert.True(alone.Advance(Bytes(answer + "\r\n")));
        Assert.Equal((null, null, true), (alone.Error, alone.ServerVersion, alone.IsClassic));

        var whole = new Handshake();
        Assert.True(whole.Advance(Bytes($"{answer}\r\n{answer}\r\n{answer}\r\n")));
        Assert.Equal((null, null, true), (whole.Error, whole.ServerVersion, whole.IsClassic));

        var meta = new Handshake(MemcachedProtocol.Meta);
        Assert.True(meta.Advance(Bytes(answer + "\r\n")));
        Assert.Contains(answer, meta.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Asks_a_peer_that_closes_the_connection_twice_for_its_version_alone()
    {
        var handshake = new Handshake();
        Assert.True(handshake.TryBeginAnew(isClosed: true));
        Assert.False(handshake.AsksForVersionAlone); // it may have been on its way down
        Assert.True(handshake.TryBeginAnew(isClosed: true));

        // A server of the binary protocol alone reads 24 bytes before it closes the connection.
        Assert.Equal("version\r\nversion\r\nversion\r\n", Encoding.ASCII.GetString(handshake.Request));
        string answer = "VERSION 1.6.18\r\nVERSION 1.6.18\r\nSERVER_ERROR Connection refused\r\n";
        Assert.False(handshake.Advance(Bytes(answer[..40])));
        Assert.True(handshake.Advance(Bytes(answer)));
        Assert.Equal((null, "1.6.18", true), (handshake.Error, handshake.ServerVersion, handshake.IsClassic));
        Assert.False(handshake.TryBeginAnew(isClosed: true));
    }

    [Fact]
    public void Takes_a_peer_that_has_closed_once_for_what_it_says_then()
    {
        var handshake = new Handshake();
        Assert.False(handshake.Advance(Bytes("VERSION 1.6.17\r\nSTAT item_size_max 5000\r\n")));
        Assert.True(handshake.TryBeginAnew(isClosed: true));
        Assert.True(handshake.Advance(Bytes("VERSION 1.6.18\r\n" + Settings)));
        Assert.Equal((null, "1.6.18", false, 2097152), (handshake.Error, handshake.ServerVersion, handshake.IsClassic, handshake.ItemSizeMax));
        Assert.False(handshake.TryBeginAnew(isClosed: false));
    }

    [Theory]
    [InlineData("37.0.0 mcrouter")]
    [InlineData("1.0.0 mcrouter")] // as its sources say where they are built without their own script; no old memcached
    public void Asks_a_peer_that_refuses_in_words_and_closes_for_its_version_alone(string version)
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes($"VERSION {version}\r\nCLIENT_ERROR bad stats command\r\nCLIENT_ERROR malformed request\r\n")));
        Assert.Null(handshake.Error);
        Assert.True(handshake.TryBeginAnew(isClosed: false));
        Assert.True(handshake.Advance(Bytes($"VERSION {version}\r\nVERSION {version}\r\nVERSION {version}\r\n")));
        Assert.Equal((null, version, true), (handshake.Error, handshake.ServerVersion, handshake.IsClassic));
    }

    [Theory]
    [InlineData(MemcachedProtocol.Meta)]
    [InlineData(MemcachedProtocol.Classic)]
    public void Asks_nothing_else_where_the_dialect_is_given(MemcachedProtocol protocol)
        => Assert.False(new Handshake(protocol).TryBeginAnew(isClosed: true));

    [Theory]
    [InlineData("ERROR\r\n")]
    [InlineData("CLIENT_ERROR unauthenticated\r\n")]
    [InlineData("SERVER_ERROR not here\r\n")]
    public void Knows_no_size_where_statistics_are_refused(string refusal)
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes("VERSION 1.6.18\r\n" + refusal + "MN\r\n")));
        Assert.Null(handshake.Error);
        Assert.Equal(0, handshake.ItemSizeMax);
    }

    [Theory]
    [InlineData("STAT item_size_max -5\r\nEND\r\n")]
    [InlineData("STAT item_size_max 0\r\nEND\r\n")]
    [InlineData("STAT item_size_max 99999999999\r\nEND\r\n")]
    [InlineData("STAT item_size_max 12k\r\nEND\r\n")]
    [InlineData("STAT item_size_max \r\nEND\r\n")]
    [InlineData("STAT item_size_maximum 5\r\nEND\r\n")]
    [InlineData("END\r\n")]
    public void Keeps_the_default_size_where_none_is_said_plainly(string settings)
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes("VERSION 1.6.18\r\n" + settings + "MN\r\n")));
        Assert.Null(handshake.Error);
        Assert.Equal(0, handshake.ItemSizeMax);
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n", "HTTP")]
    [InlineData("-ERR unknown command 'version'\r\n", "Redis")]
    [InlineData("-NOAUTH Authentication required.\r\n", "Redis")]
    [InlineData("CLIENT_ERROR unauthenticated\r\n", "-Y")]
    [InlineData("ERROR Too many open connections\r\n", "-c")]
    [InlineData("\u0015\u0003\u0001\0\u0002\u0002", "TLS")] // an alert has no line end
    [InlineData("SSH-2.0-x\r\n", "SSH")]
    [InlineData("hello\r\n", "no memcached")]
    public void Says_what_a_peer_seems_to_be_and_quotes_it(string text, string expected)
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes(text)));
        Assert.Contains(expected, handshake.Error, StringComparison.Ordinal);
        Assert.True(text.EndsWith('\u0002') || handshake.Error!.Contains(text.TrimEnd(), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("-ERR unknown command 'version'\r\n")]
    [InlineData("ERROR Too many open connections\r\n")]
    [InlineData("\r\n")]
    [InlineData("VERSION\r\n")]
    [InlineData("version 1.6.18\r\n")]
    [InlineData("VERSION 1.6.18\n")]
    [InlineData("\n")]
    public void Refuses_what_is_no_memcached(string text)
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes(text)));
        Assert.NotNull(handshake.Error);
    }

    [Theory]
    [InlineData("37.0.0 mcrouter", "ERROR\r\n", "ERROR\r\n")]
    [InlineData("1.6.38", "END\r\n", "ERROR\r\n")]
    [InlineData("1.6.38", "END\r\n", "SERVER_ERROR unsupported command\r\n")]
    public void Asks_a_proxy_that_speaks_no_meta_protocol_by_classic_commands_whatever_version_it_tells(
        string version,
        string settings,
        string answer)
    {
        var handshake = new Handshake();
        Assert.False(handshake.Advance(Bytes($"VERSION {version}\r\n{settings}")));
        Assert.True(handshake.Advance(Bytes($"VERSION {version}\r\n{settings}{answer}")));
        Assert.Null(handshake.Error);
        Assert.True(handshake.IsClassic);

        var meta = new Handshake(MemcachedProtocol.Meta);
        Assert.True(meta.Advance(Bytes($"VERSION {version}\r\n{settings}{answer}")));
        Assert.Contains("speaks no meta protocol", meta.Error, StringComparison.Ordinal);
        Assert.Contains(version, meta.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("END\r\n")]
    [InlineData("EN\r\n")]
    [InlineData("MN \r\n")]
    [InlineData("hello\r\n")]
    public void Refuses_what_is_no_answer_to_a_meta_command(string answer)
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes("VERSION 1.6.38\r\nEND\r\n" + answer)));
        Assert.Contains("speaks no meta protocol", handshake.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello\r\n")]
    [InlineData("HD O1\r\n")]
    [InlineData("VERSION 1.6.18\r\n")]
    public void Refuses_lines_between_the_statistics(string line)
    {
        var handshake = new Handshake();
        handshake.Advance(Bytes("VERSION 1.6.18\r\nSTAT a 1\r\n" + line + "END\r\n"));
        Assert.NotNull(handshake.Error);
    }

    [Fact]
    public void Refuses_bytes_behind_the_end()
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes("VERSION 1.6.18\r\n" + Settings + "H")));
        Assert.Equal("it sent more than was asked for", handshake.Error);
    }

    [Theory]
    [InlineData("STAT a 1\r\n")]
    [InlineData("STAT a 1")]
    public void Refuses_a_handshake_without_end(string unit)
    {
        var text = new StringBuilder("VERSION 1.6.18\r\n");
        while (text.Length < Handshake.BufferLength)
        {
            text.Append(unit);
        }

        byte[] all = Bytes(text.ToString())[..Handshake.BufferLength];
        var handshake = new Handshake();
        bool over = false;
        for (int length = 1000; !over && length < all.Length + 1000; length += 1000)
        {
            over = handshake.Advance(all.AsSpan(0, Math.Min(length, all.Length)));
        }

        Assert.True(over);
        Assert.NotNull(handshake.Error);
    }

    [Fact]
    public void Reads_the_same_however_it_is_split()
    {
        byte[] all = Bytes("VERSION 1.6.18\r\n" + Settings);
        for (int split = 0; split < all.Length; split++)
        {
            var handshake = new Handshake();
            Assert.False(handshake.Advance(all.AsSpan(0, split)));
            Assert.True(handshake.Advance(all));
            Assert.Null(handshake.Error);
            Assert.Equal(2097152, handshake.ItemSizeMax);
        }
    }

    [Fact]
    public void An_error_message_holds_no_control_characters_and_is_short()
    {
        var handshake = new Handshake();
        Assert.True(handshake.Advance(Bytes("\0\u001b[31m" + new string('\u00ff', 1000) + "\r\n")));
        Assert.True(handshake.Error!.Length < 300);
        Assert.DoesNotContain(handshake.Error, static c => c is < ' ' or >= (char)0x7f);
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);
}
