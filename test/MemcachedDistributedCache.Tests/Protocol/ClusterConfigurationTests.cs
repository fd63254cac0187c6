using System.Text;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class ClusterConfigurationTests
{
    /// <summary>As ElastiCache documents it.</summary>
    private const string Reply =
        "CONFIG cluster 0 136\r\n12\n"
        + "mycluster.pc4ldq.0001.use1.cache.amazonaws.com|10.82.235.120|11211 mycluster.pc4ldq.0002.use1.cache.amazonaws.com|10.80.249.27|11212\n"
        + "\r\nEND\r\n";

    [Fact]
    public void A_reply_is_read_however_it_is_cut()
    {
        byte[] reply = Encoding.ASCII.GetBytes(Reply);
        for (int length = 0; length < reply.Length; length++)
        {
            Assert.False(ClusterConfiguration.TryRead(reply.AsSpan(0, length), out _, out _), $"after {length} bytes");
        }

        Assert.True(ClusterConfiguration.TryRead(reply, out ClusterConfiguration? read, out string? error), error);
        Assert.Null(error);
        Assert.Equal(12, read!.Version);
        Assert.Equal(
            [("mycluster.pc4ldq.0001.use1.cache.amazonaws.com", 11211), ("mycluster.pc4ldq.0002.use1.cache.amazonaws.com", 11212)],
            read.Servers);
    }

    [Theory]
    [InlineData("7\na||1\n", 7, "a:1")]
    [InlineData("7\n|10.0.0.3|11211\n", 7, "10.0.0.3:11211")]
    [InlineData("7\n10.0.0.3|10.0.0.3|11211", 7, "10.0.0.3:11211")]
    [InlineData("0\r\na||1  b|10.0.0.1|65535\r\n", 0, "a:1,b:65535")]
    [InlineData("9223372036854775807\n|2001:db8::1|11211\n", long.MaxValue, "2001:db8::1:11211")]
    public void A_server_without_a_name_is_called_by_its_address(string payload, long version, string servers)
    {
        Assert.True(TryRead(Framed(payload), out ClusterConfiguration? read, out string? error));
        Assert.Null(error);
        Assert.Equal(version, read!.Version);
        Assert.Equal(servers, string.Join(',', read.Servers.Select(static server => $"{server.Host}:{server.Port}")));
    }

    [Theory]
    [InlineData("ERROR\r\n", "so it is no configuration endpoint")]
    [InlineData("END\r\n", "so it is no configuration endpoint")]
    [InlineData("HTTP/1.1 400 Bad Request\r\n", "so it is no configuration endpoint")]
    [InlineData("\n", "does not speak")]
    [InlineData("CONFIG cluster 0 x\r\n", "is none to")]
    [InlineData("CONFIG cluster 0 0\r\n", "is none to")]
    [InlineData("CONFIG cluster 0 -1\r\n", "is none to")]
    [InlineData("CONFIG cluster 0 65536\r\n", "is none to")]
    [InlineData("CONFIG cluster 0 4294967297\r\n", "is none to")]
    [InlineData("CONFIG cluster 9\r\n1\na||1\n\r\nEND\r\n", "is none to")]
    [InlineData("CONFIG cluster 0 8\r\n1\na||1\n\nEND\r\nxx", "does not end where it says")]
    [InlineData("CONFIG cluster 0 7\r\n1\na||1\n\r\nEND\r\nVERSION 1.6.18\r\n", "does not end where it says")]
    public void What_is_no_reply_is_refused(string reply, string expected)
    {
        Assert.True(TryRead(reply, out ClusterConfiguration? read, out string? error));
        Assert.Null(read);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\n", "not a version and a list")]
    [InlineData("a||1\n", "not a version and a list")]
    [InlineData("-1\na||1\n", "not a version and a list")]
    [InlineData("99999999999999999999\na||1\n", "not a version and a list")]
    [InlineData("1\na||1\nb||1\n", "not a version and a list")]
    [InlineData("1\n", "names 0 servers")]
    [InlineData("1\n \n", "names 0 servers")]
    [InlineData("1\na\n", "'a', which is no server")]
    [InlineData("1\na||0\n", "no server")]
    [InlineData("1\na||65536\n", "no server")]
    [InlineData("1\na||+1\n", "no server")]
    [InlineData("1\na||\n", "no server")]
    [InlineData("1\n||11211\n", "no server")]
    [InlineData("1\na|b|c|11211\n", "no server")]
    [InlineData("1\na;weight=100||11211\n", "no server")]
    [InlineData("1\nunix:/run/x||11211\n", "no server")]
    [InlineData("1\na,b||11211\n", "no server")]
    [InlineData("1\n..||11211\n", "no server")]
    [InlineData("1\n\u00e9||11211\n", "'?||11211', which is no server")]
    public void A_payload_with_one_mistake_is_refused_whole(string payload, string expected)
    {
        Assert.True(TryRead(Framed(payload), out ClusterConfiguration? read, out string? error));
        Assert.Null(read);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void More_servers_than_any_cluster_has_are_refused()
    {
        string[] entries = [.. Enumerable.Range(0, ClusterConfiguration.MostServers + 1).Select(static i => $"a{i}||1")];
        Assert.True(TryRead(Framed("1\n" + string.Join(' ', entries) + "\n"), out ClusterConfiguration? read, out string? error));
        Assert.Null(read);
        Assert.Contains("names 513 servers", error, StringComparison.Ordinal);
        Assert.True(TryRead(Framed("1\n" + string.Join(' ', entries[1..]) + "\n"), out read, out error));
        Assert.Equal(ClusterConfiguration.MostServers, read!.Servers.Count);
    }

    [Fact]
    public void Random_bytes_are_never_taken_for_a_list()
    {
        var random = new Random(7);
        byte[] reply = Encoding.ASCII.GetBytes(Reply);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. reply];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            if (ClusterConfiguration.TryRead(bytes, out ClusterConfiguration? read, out string? error))
            {
                Assert.True(read is null != error is null);
                Assert.All(read?.Servers ?? [], static server => Assert.NotEqual(UriHostNameType.Unknown, Uri.CheckHostName(server.Host)));
            }
        }
    }

    private static string Framed(string payload) => $"CONFIG cluster 0 {payload.Length}\r\n{payload}\r\nEND\r\n";

    private static bool TryRead(string reply, out ClusterConfiguration? read, out string? error)
        => ClusterConfiguration.TryRead(Encoding.Latin1.GetBytes(reply), out read, out error);
}
