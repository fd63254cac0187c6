using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class ServiceServersTests
{
    [Theory]
    [InlineData("0,0,0", "1,1,1")]
    [InlineData("33,33,33", "1,1,1")]
    [InlineData("25,25,25,25", "1,1,1,1")]
    [InlineData("1,2,100", "1,2,100")]
    [InlineData("0,2", "1,2")]
    [InlineData("65535,32768,1", "100,50,1")]
    [InlineData("101,1", "100,1")]
    public void Weights_are_in_our_range_and_equal_ones_are_one(string weights, string expected)
    {
        ServiceRecord[] records = [.. weights.Split(',').Select(static (weight, i) => new ServiceRecord($"mc-{i}.test", 11211, int.Parse(weight)))];
        (IReadOnlyList<ServerSpec>? servers, string? error) = ServiceServers.Of(records);
        Assert.Null(error);
        Assert.Equal(expected, string.Join(',', servers!.Select(static server => server.Weight)));
    }

    [Fact]
    public void The_order_of_the_records_does_not_matter()
    {
        ServiceRecord[] records = [.. Enumerable.Range(0, 9).Select(static i => new ServiceRecord($"mc-{i}.test", 11211 + i, i))];
        IReadOnlyList<ServerSpec> servers = ServiceServers.Of(records).Servers!;
        Array.Reverse(records);
        Assert.Equal(servers, ServiceServers.Of(records).Servers);
    }

    [Theory]
    [InlineData("mc;weight=100", 11211, "no server")]
    [InlineData("mc/x", 11211, "no server")]
    [InlineData("/run/x", 0, "no server")]
    [InlineData("unix:/run/x", 11211, "no server")]
    [InlineData("mc", 0, "no server")]
    public void One_that_is_no_server_has_all_refused(string host, int port, string expected)
    {
        (IReadOnlyList<ServerSpec>? servers, string? error) = ServiceServers.Of([new ServiceRecord("mc-0.test", 11211, 0), new ServiceRecord(host, port, 0)]);
        Assert.Null(servers);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(513)]
    public void None_and_too_many_are_refused(int count)
        => Assert.Contains(
            $"names {count} servers",
            ServiceServers.Of([.. Enumerable.Range(0, count).Select(static i => new ServiceRecord($"mc-{i}", 1, 0))]).Error,
            StringComparison.Ordinal);
}
