using System.Globalization;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.AspNetCore.Tests.Sessions;

/// <summary>ASP.NET's session middleware on the cache: what it does by its own tests, and what docs/session.md says.</summary>
public sealed class SessionTests : IAsyncLifetime
{
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("sessiontests-");
    private readonly string _namespace = PageApp.NewNamespace();
    private readonly List<MemcachedProcess> _servers = [];
    private readonly List<SessionApp> _apps = [];

    [MemcachedFact]
    public async Task A_session_begins_with_its_first_value_and_not_before()
    {
        SessionApp app = await StartAsync(await ServersAsync());
        Assert.Equal(("", null), await app.SendAsync("/nothing"));
        Assert.Equal(("(none)", null), await app.SendAsync("/get/a"));
        (_, string? cookie) = await app.SendAsync("/set/a/1");
        Assert.NotNull(cookie);
        Assert.Equal(("1", null), await app.SendAsync("/get/a", cookie));
        Assert.Equal(("1", null), await app.SendAsync("/blocking/a", cookie));
        Assert.Equal("(none)", await app.GetAsync("b", cookie));
    }

    [MemcachedFact]
    public async Task What_is_removed_or_cleared_is_gone()
    {
        SessionApp app = await StartAsync(await ServersAsync());
        string cookie = await BeginAsync(app, "a", "1");
        await app.SendAsync("/set/b/2", cookie);
        await app.SendAsync("/remove/a", cookie);
        Assert.Equal(("(none)", "2"), (await app.GetAsync("a", cookie), await app.GetAsync("b", cookie)));
        await app.SendAsync("/clear", cookie);
        Assert.Equal("(none)", await app.GetAsync("b", cookie));
        await app.SendAsync("/set/b/3", cookie);
        Assert.Equal("3", await app.GetAsync("b", cookie));
    }

    [MemcachedFact]
    public async Task A_cookie_that_is_not_ours_is_an_empty_session()
    {
        SessionApp app = await StartAsync(await ServersAsync());
        string cookie = await BeginAsync(app, "a", "1");
        foreach (string other in (string[])[cookie + "x", cookie[..^8], ".AspNetCore.Session=", ".AspNetCore.Session=%00", ".AspNetCore.Session=AAAA"])
        {
            Assert.Equal("(none)", await app.GetAsync("a", other));
        }

        Assert.Equal("1", await app.GetAsync("a", cookie));
    }

    [MemcachedFact]
    public async Task Instances_share_sessions_and_one_survives_the_end_of_all_of_them()
    {
        IReadOnlyList<MemcachedProcess> servers = await ServersAsync();
        SessionApp one = await StartAsync(servers);
        SessionApp other = await StartAsync(servers);
        string cookie = await BeginAsync(one, "a", "1");
        Assert.Equal("1", await other.GetAsync("a", cookie));
        await other.SendAsync("/set/a/2", cookie);
        Assert.Equal("2", await one.GetAsync("a", cookie));

        await one.DisposeAsync();
        await other.DisposeAsync();
        SessionApp restarted = await StartAsync(servers);
        Assert.Equal(("2", null), await restarted.SendAsync("/get/a", cookie));
    }

    [ServerClockFact]
    public async Task A_request_that_only_reads_or_does_nothing_extends_the_session_and_writes_no_value()
    {
        await using var clock = new ServerClock(DateTimeOffset.UnixEpoch.AddYears(60));
        MemcachedProcess server = await clock.StartAsync();
        SessionApp app = await StartAsync([server]);
        string cookie = await BeginAsync(app, "a", "1");
        string key = await KeyOfAsync(server);
        string sets = (await server.StatsAsync())["cmd_set"];
        foreach (string path in (string[])["/get/a", "/nothing", "/blocking/a"])
        {
            await clock.AdvanceAsync(TimeSpan.FromSeconds(40));
            Assert.InRange(await TimeToLiveAsync(server, key), 18, 24);
            await app.SendAsync(path, cookie);
            await Eventually.True(() => TimeToLiveAsync(server, key).Result >= 60, "the session has its whole time again");
            Assert.InRange(await TimeToLiveAsync(server, key), 60, 63);
        }

        Assert.Equal(sets, (await server.StatsAsync())["cmd_set"]);
        Assert.Equal("1", await app.GetAsync("a", cookie));
    }

    [ServerClockFact]
    public async Task A_session_ends_when_it_was_idle_for_its_time_and_not_before()
    {
        await using var clock = new ServerClock(DateTimeOffset.UnixEpoch.AddYears(60));
        MemcachedProcess server = await clock.StartAsync();
        SessionApp app = await StartAsync([server]);
        string cookie = await BeginAsync(app, "a", "1");
        string key = await KeyOfAsync(server);
        for (int i = 0; i < 5; i++)
        {
            await clock.AdvanceAsync(TimeSpan.FromSeconds(55));
            Assert.Equal("1", await app.GetAsync("a", cookie));
            await Eventually.True(() => TimeToLiveAsync(server, key).Result >= 60, "the session has its whole time again");
        }

        await clock.AdvanceAsync(TimeSpan.FromSeconds(64));
        Assert.Equal(("(none)", null), await app.SendAsync("/get/a", cookie));
    }

    [MemcachedFact]
    public async Task Of_concurrent_writers_the_last_stays_whole_and_none_fails()
    {
        IReadOnlyList<MemcachedProcess> servers = await ServersAsync();
        SessionApp one = await StartAsync(servers);
        SessionApp other = await StartAsync(servers);
        string cookie = await BeginAsync(one, "first", "1");
        for (int round = 0; round < 10; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 20).Select(n => Task.Run(() => (n % 2 == 0 ? one : other).SendAsync($"/set/w{n}/{round}", cookie))));

            // A session is stored whole: a writer that did not see another's value drops it, and one value of the last writer is there.
            Assert.Equal("1", await other.GetAsync("first", cookie));
            string[] written = await Task.WhenAll(Enumerable.Range(0, 20).Select(n => one.GetAsync("w" + n, cookie)));
            Assert.Contains(round.ToString(CultureInfo.InvariantCulture), written);
            Assert.All(written, value => Assert.True(value == "(none)" || int.Parse(value, CultureInfo.InvariantCulture) <= round));
        }
    }

    [MemcachedFact]
    public async Task The_sessions_of_a_lost_node_are_empty_and_no_request_fails()
    {
        IReadOnlyList<MemcachedProcess> servers = await ServersAsync();
        SessionApp app = await StartAsync(servers);
        string[] cookies = [.. await Task.WhenAll(Enumerable.Range(0, 30).Select(n => BeginAsync(app, "a", "v" + n)))];
        await servers[1].KillAsync();
        await Eventually.True(() => app.Cache.GetNodes()[1].State == MemcachedNodeState.Down, "the node is down");
        string[] seen = await Task.WhenAll(cookies.Select(cookie => app.GetAsync("a", cookie)));
        for (int i = 0; i < seen.Length; i++)
        {
            Assert.True(seen[i] == "v" + i || seen[i] == "(none)", seen[i]);
        }

        Assert.InRange(seen.Count(static value => value == "(none)"), 1, 29);
        foreach (string cookie in cookies)
        {
            await app.SendAsync("/set/b/2", cookie);
        }

        Assert.DoesNotContain(app.Log.Entries, static entry => entry.Level >= LogLevel.Error);

        // Back, and empty: what it had is gone, the cookies stay good.
        await servers[1].StartAgainAsync();
        await Eventually.True(() => app.Cache.GetNodes().All(static node => node is { State: MemcachedNodeState.Up, UncertainKeys: 0 }), "all nodes are up");
        foreach (string cookie in cookies)
        {
            await app.SendAsync("/set/b/3", cookie);
            Assert.Equal("3", await app.GetAsync("b", cookie));
        }
    }

    [MemcachedFact]
    public async Task A_session_above_the_item_size_is_lost_and_logged_and_the_request_does_not_fail()
    {
        SessionApp app = await StartAsync(await ServersAsync());
        string cookie = await BeginAsync(app, "a", "1");
        await app.SendAsync("/grow/large/60000", cookie);
        Assert.Equal(60_000, (await app.GetAsync("large", cookie)).Length);
        await app.SendAsync("/grow/large/2000000", cookie);
        Assert.Equal("(none)", await app.GetAsync("large", cookie));
        Assert.Contains(app.Log.Entries, static entry => $"{entry.Message} {entry.Exception}".Contains("MemcachedValueTooLargeException", StringComparison.Ordinal));
        await app.SendAsync("/set/a/2", cookie);
        Assert.Equal("2", await app.GetAsync("a", cookie));
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (SessionApp app in _apps)
        {
            await app.DisposeAsync();
        }

        foreach (MemcachedProcess server in _servers)
        {
            await server.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private async Task<IReadOnlyList<MemcachedProcess>> ServersAsync()
    {
        _servers.AddRange(await OwnNodes.StartAsync());
        return _servers;
    }

    private async Task<SessionApp> StartAsync(IEnumerable<MemcachedProcess> servers)
    {
        SessionApp app = await SessionApp.StartAsync(servers.Select(static server => server.Server), _folder.FullName, _namespace, Idle);
        _apps.Add(app);
        return app;
    }

    private static async Task<string> BeginAsync(SessionApp app, string key, string value)
        => (await app.SendAsync($"/set/{key}/{value}")).Cookie ?? throw new InvalidOperationException("no cookie was set");

    /// <summary>The key of the only session on a server.</summary>
    private async Task<string> KeyOfAsync(MemcachedProcess server)
        => (await server.CommandAsync("lru_crawler metadump all", "END\r\n")).Split('\n')
            .Select(static line => Uri.UnescapeDataString(line.Split(' ')[0].Replace("key=", "", StringComparison.Ordinal)))
            .Single(key => key.StartsWith(_namespace, StringComparison.Ordinal));

    private static async Task<int> TimeToLiveAsync(MemcachedProcess server, string key)
    {
        string answer = (await server.CommandAsync($"mg {key} t")).TrimEnd();
        Assert.StartsWith("HD t", answer, StringComparison.Ordinal);
        return int.Parse(answer["HD t".Length..], CultureInfo.InvariantCulture);
    }
}
