using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A configuration endpoint that grows, shrinks, lies and dies, with real servers behind it.</summary>
public sealed class DiscoveryTests
{
    private const int Keys = 60;
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedFact]
    public async Task Servers_join_and_leave_as_the_endpoint_says_and_nothing_older_comes_back()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedProcess third = await MemcachedProcess.StartAsync();
        await using var endpoint = new ConfigurationEndpoint();
        endpoint.Tell(1, first.Server, second.Server);
        await using MemcachedCache cache = On(endpoint, new RecordingLogger());

        // The first answer was waited for: nothing that is asked from the beginning is lost.
        Assert.Equal([first.Server, second.Server], Servers(cache));
        await SetAllAsync(cache, 1);
        await ReadAllAsync(cache, 1);
        string[][] lists =
        [
            [first.Server, second.Server, third.Server],
            [second.Server, third.Server],
            [first.Server],
            [third.Server, first.Server, second.Server],
        ];
        for (byte version = 2; version < 10; version++)
        {
            string[] list = lists[version % lists.Length];
            endpoint.Tell(version, list);
            await Eventually.True(() => Servers(cache).ToHashSet().SetEquals(list), $"list {version} is used");
            await ReadAllAsync(cache, (byte)(version - 1));
            await SetAllAsync(cache, version);
            await ReadAllAsync(cache, version);
        }
    }

    [MemcachedFact]
    public async Task A_lie_changes_nothing_and_is_logged_once()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using var endpoint = new ConfigurationEndpoint();
        endpoint.Tell(7, first.Server, second.Server);
        var logger = new RecordingLogger();
        await using MemcachedCache cache = On(endpoint, logger);
        await SetAllAsync(cache, 1);
        string huge = string.Join(' ', Enumerable.Repeat("mc||11211", 20_000));
        (string Answer, string Reason)[] lies =
        [
            ("CONFIG cluster 0 3\r\n8\n\n\r\nEND\r\n", "names 0 servers"),
            ("CONFIG cluster 0 9\r\n8\nmc||0\n\n\r\nEND\r\n", "'mc||0', which is no server"),
            ("CONFIG cluster 0 12\r\n8\nmc|11211\n\n\r\nEND\r\n", "'mc|11211', which is no server"),
            ($"CONFIG cluster 0 {huge.Length + 3}\r\n8\n{huge}\n\r\nEND\r\n", "is none to 'config get cluster'"),
            ($"CONFIG cluster 0 60000\r\n8\n{huge}\n\r\nEND\r\n", "does not end"),
            ("CONFIG cluster 0 9\r\n8\nmc||1\n", "no answer within"),
            ("SERVER_ERROR out of memory\r\n", "SERVER_ERROR out of memory"),
            ("HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ];
        foreach ((string answer, string reason) in lies)
        {
            endpoint.Answer = answer;
            await Eventually.True(() => logger.Count(reason) == 1, $"'{reason}' is logged");
            int asked = endpoint.Asked;
            await Eventually.True(() => endpoint.Asked >= asked + 2, "it is asked again");
        }

        Assert.All(lies, lie => Assert.Equal(1, logger.Count(lie.Reason)));
        Assert.Equal(lies.Length, logger.Count("does not tell which"));
        Assert.Equal([first.Server, second.Server], Servers(cache));
        await ReadAllAsync(cache, 1);
    }

    [MemcachedFact]
    public async Task A_list_of_the_highest_version_that_there_is_does_not_hold_for_ever()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using var endpoint = new ConfigurationEndpoint();
        endpoint.Tell(long.MaxValue, first.Server);
        var logger = new RecordingLogger();
        await using MemcachedCache cache = On(endpoint, logger);
        await SetAllAsync(cache, 1);
        endpoint.Tell(7, first.Server, second.Server);
        await logger.SeesAsync($"version 7 of the list, after version {long.MaxValue}", 1);
        await Eventually.True(() => cache.GetNodes().Count == 2, "the endpoint keeps to its list, which is used");
        await ReadAllAsync(cache, 1);
        endpoint.Tell(8, second.Server);
        await Eventually.True(() => Servers(cache) is [{ } server] && server == second.Server, "a newer one is used at once");
    }

    [MemcachedFact]
    public async Task An_endpoint_that_dies_takes_nothing_along_and_is_heard_again_when_it_is_back()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using var endpoint = new ConfigurationEndpoint();
        endpoint.Tell(1, first.Server);
        var logger = new RecordingLogger();
        await using MemcachedCache cache = On(endpoint, logger);
        await SetAllAsync(cache, 1);
        await endpoint.GoAwayAsync();
        await logger.SeesAsync("Connection refused", 1);
        await ReadAllAsync(cache, 1);
        endpoint.Tell(2, first.Server, second.Server);
        endpoint.ComeBack();
        await Eventually.True(() => cache.GetNodes().Count == 2, "the second server has joined");
    }

    [MemcachedFact]
    public async Task Without_an_answer_the_application_starts_and_all_is_a_miss_until_there_is_one()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using var endpoint = new ConfigurationEndpoint();
        await endpoint.GoAwayAsync();
        await using MemcachedCache cache = On(endpoint, new RecordingLogger(), configure: static options => options.FailureMode = MemcachedFailureMode.Degrade);
        await cache.SetAsync("key", [1], Default);
        Assert.Null(await cache.GetAsync("key"));
        Assert.Empty(cache.GetNodes());
        endpoint.Tell(1, server.Server);
        endpoint.ComeBack();
        await Eventually.True(() => cache.GetNodes() is [{ State: MemcachedNodeState.Up }], "the server is found");
        await cache.ReadableAsync();
        await cache.SetAsync("key", [2], Default);
        Assert.Equal([2], await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task Named_servers_are_used_until_the_first_answer_and_not_after_it()
    {
        await using MemcachedProcess named = await MemcachedProcess.StartAsync();
        await using MemcachedProcess found = await MemcachedProcess.StartAsync();
        await using var endpoint = new ConfigurationEndpoint();
        await using MemcachedCache cache = Caches.On(
            [named.Server, endpoint.Address + ";discover=cluster"],
            static options =>
            {
                options.DiscoveryInterval = TimeSpan.FromSeconds(1);
                options.OperationTimeout = options.ConnectTimeout = TimeSpan.FromSeconds(20);
            },
            ioTime: new HastyTimeProvider(10));
        Assert.Equal([named.Server], Servers(cache));
        await SetAllAsync(cache, 1);
        await ReadAllAsync(cache, 1);
        endpoint.Tell(1, found.Server);
        await Eventually.True(() => Servers(cache) is [{ } server] && server == found.Server, "the answer is used");
        await cache.ReloadAsync([named.Server]);
        Assert.Equal([found.Server], Servers(cache));
    }

    [MemcachedFact]
    public async Task A_server_that_fails_has_the_endpoint_asked_long_before_its_time()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedProcess third = await MemcachedProcess.StartAsync();
        await using var endpoint = new ConfigurationEndpoint();
        endpoint.Tell(1, first.Server, second.Server);
        await using MemcachedCache cache = On(
            endpoint,
            new RecordingLogger(),
            static options => options.DiscoveryInterval = TimeSpan.FromDays(1));
        await cache.ReadableAsync();
        endpoint.Tell(2, first.Server, third.Server);
        await second.KillAsync();
        await Eventually.True(() => Servers(cache).Contains(third.Server), "the third is found in the place of the second");
        Assert.Equal([first.Server, third.Server], Servers(cache));
    }

    private static MemcachedCache On(ConfigurationEndpoint endpoint, ILoggerFactory logger, Action<MemcachedCacheOptions>? configure = null)
    {
        var options = new MemcachedCacheOptions
        {
            Discovery = endpoint.Address,
            DiscoveryInterval = TimeSpan.FromSeconds(1),
            Namespace = "discovery",
            FailureMode = MemcachedFailureMode.Throw,
            OperationTimeout = TimeSpan.FromSeconds(40),
            ConnectTimeout = TimeSpan.FromSeconds(20),
        };
        configure?.Invoke(options);
        return new MemcachedCache(options, logger, null, null, null, ioTime: new HastyTimeProvider(20));
    }

    private static string[] Servers(MemcachedCache cache) => [.. cache.GetNodes().Select(static node => node.Server)];

    private static async Task SetAllAsync(MemcachedCache cache, byte version)
    {
        for (int key = 0; key < Keys; key++)
        {
            await cache.SetAsync($"key{key}", [version], Default);
        }
    }

    /// <summary>A key that has changed hands is a miss until its new owner has told how far it has counted.</summary>
    private static async Task ReadAllAsync(MemcachedCache cache, byte version)
    {
        int hits = 0;
        for (int key = 0; key < Keys; key++)
        {
            byte[]? value = await cache.GetAsync($"key{key}");
            Assert.True(value is null || value[0] == version, $"version {value?[0]} instead of {version}");
            hits += value is null ? 0 : 1;
        }

        Assert.True(hits > 0 || version > 1, "nothing was read");
    }
}
