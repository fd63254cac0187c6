using MemcachedDistributedCache.Cluster;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class ServerSpecTests
{
    [Theory]
    [InlineData("mc1", "mc1:11211", 1)]
    [InlineData("mc1:11212", "mc1:11212", 1)]
    [InlineData("MC1.Example.COM:1", "mc1.example.com:1", 1)]
    [InlineData(" mc1:65535 ; weight=100 ", "mc1:65535", 100)]
    [InlineData("mc1;WEIGHT=2", "mc1:11211", 2)]
    [InlineData("10.0.0.5", "10.0.0.5:11211", 1)]
    [InlineData("10.0.0.5:11213;weight=3", "10.0.0.5:11213", 3)]
    [InlineData("[::ffff:10.0.0.5]:11213", "10.0.0.5:11213", 1)]
    [InlineData("::ffff:10.0.0.5", "10.0.0.5:11211", 1)]
    [InlineData("[::1]", "[::1]:11211", 1)]
    [InlineData("[::1]:11213", "[::1]:11213", 1)]
    [InlineData("::1", "[::1]:11211", 1)]
    [InlineData("2001:db8::5", "[2001:db8::5]:11211", 1)]
    [InlineData("[2001:DB8::5]:1;weight=2", "[2001:db8::5]:1", 2)]
    [InlineData("cache-1.svc.cluster.local", "cache-1.svc.cluster.local:11211", 1)]
    [InlineData("unix:/run/memcached.sock", "unix:/run/memcached.sock", 1)]
    [InlineData(" UNIX:/run/My Cache/a.sock ; weight=2", "unix:/run/My Cache/a.sock", 2)]
    [InlineData("unix:11212", "unix:11212", 1)]
    public void Reads_a_server(string text, string address, int weight)
    {
        Assert.True(ServerSpec.TryParse(text, out ServerSpec? spec, out string? error), error);
        Assert.Equal((address, weight), (spec.Address.ToString(), spec.Weight));
    }

    [Theory]
    [InlineData(null, "host name")]
    [InlineData("", "host name")]
    [InlineData("  ", "host name")]
    [InlineData(":11211", "host name")]
    [InlineData("mc1 mc2", "separated by commas, as 'mc1,mc2'")]
    [InlineData("mc1:11211\nmc2:11211", "separated by commas, as 'mc1:11211,mc2:11211'")]
    [InlineData("mc1;mc2", "servers are separated by commas ('mc1:11211,mc2:11211')")]
    [InlineData("mc1/2", "host name")]
    [InlineData("http://mc1:11211/", "named without 'http://', as 'mc1:11211'")]
    [InlineData("memcached://mc1", "named without 'memcached://', as 'mc1'")]
    [InlineData("tcp://", "named without 'tcp://', as 'mc1:11211'")]
    [InlineData("mc1:11211:11211", "one port, behind one ':', as 'mc1:11211'")]
    [InlineData("mc1:11211:mc2:11211", "servers are separated by commas")]
    [InlineData("user@mc1", "host name")]
    [InlineData("mc1:", "port")]
    [InlineData("mc1:0", "port")]
    [InlineData("mc1:65536", "port")]
    [InlineData("mc1:-1", "port")]
    [InlineData("mc1:port", "port")]
    [InlineData("mc1:99999999999", "port")]
    [InlineData("mc1:+11211", "port")]
    [InlineData("[::1]:", "port")]
    [InlineData("[::1]:x", "port")]
    [InlineData("[::1", "brackets")]
    [InlineData("[::1]11211", "brackets")]
    [InlineData("[mc1]:11211", "IP")]
    [InlineData("[]:11211", "no IPv6 address")]
    [InlineData("mc1;weight=0", "weight")]
    [InlineData("mc1;weight=101", "weight")]
    [InlineData("mc1;weight=-1", "weight")]
    [InlineData("mc1;weight=", "weight")]
    [InlineData("mc1;weight=1.5", "weight")]
    [InlineData("mc1;wait=2", "weight")]
    [InlineData("mc1;", "weight")]
    [InlineData("mc1;weight=2;weight=3", "weight")]
    [InlineData("mc1;addresses=each;addresses=each", "once")]
    [InlineData("mc1;addresses=all", "addresses=each")]
    [InlineData("10.0.0.5;addresses=each", "one address")]
    [InlineData("unix:/run/memcached.sock;addresses=each", "one address")]
    [InlineData("unix:///run/memcached.sock", "one '/' at the front, as 'unix:/run/memcached.sock'")]
    [InlineData("unix:run/memcached.sock", "whole path, as 'unix:/run/memcached.sock'")]
    [InlineData("unix:/run/", "the path of its file")]
    [InlineData("unix:", "port")]
    [InlineData("unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012", "may have 103 bytes, and this one has 104")]
    [InlineData("mc.cfg;discover=dns", "'discover=srv'")]
    [InlineData("_mc._tcp.test:11212;discover=srv", "has no port")]
    [InlineData("mc.cfg;discover=cluster;weight=2", "goes with no other setting")]
    [InlineData("mc.cfg;discover=cluster;discover=cluster", "once")]
    public void Refuses_nonsense_and_says_what_is_right(string? text, string expected)
    {
        Assert.False(ServerSpec.TryParse(text, out _, out string? error));
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", new string[0])]
    [InlineData(" , ,", new string[0])]
    [InlineData("a", new[] { "a" })]
    [InlineData("mc1:11211, mc2:11211;weight=2 ,[::1]:11213,", new[] { "mc1:11211", "mc2:11211;weight=2", "[::1]:11213" })]
    public void Splits_a_connection_string(string text, string[] expected) => Assert.Equal(expected, ServerSpec.Split(text));
}
