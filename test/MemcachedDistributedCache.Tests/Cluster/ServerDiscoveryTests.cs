using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class ServerDiscoveryTests : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(60);

    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<string> _found = [];
    private readonly FakeFactory _factory;
    private readonly ServerDiscovery _discovery;
    private string? _answer;
    private bool _isAnyUp = true;

    public ServerDiscoveryTests()
    {
        _factory = new FakeFactory(_ => new FakeTransport { Answer = asked => asked == "config get cluster\r\n" ? _answer : "ERROR\r\n" });
        ClusterSettings settings = ClusterRig.Settings(_factory, _time) with { DiscoveryInterval = Interval };
        _discovery = new ServerDiscovery(
            settings,
            new EndpointLister(settings.Connections, new ServerAddress("mc.cfg.test", 11211)),
            servers => _found.Add(string.Join(',', servers.Select(static server => server.Address.ToString()))),
            () => _isAnyUp,
            _log,
            _stop.Token);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task A_list_of_a_newer_version_is_used_and_an_older_one_is_not()
    {
        Tells(5, "a||1 b||2");
        _discovery.AskFirst();
        Assert.Equal(["a:1,b:2"], _found);

        // The order says nothing.
        Tells(5, "b||2 a||1");
        await AskAgainAsync();
        Assert.Single(_found);
        Assert.Empty(Failures());

        Tells(4, "a||1");
        await AskAgainAsync();
        await AskAgainAsync();
        Assert.Single(_found);
        Assert.Equal("mc.cfg.test:11211 does not tell which memcached servers there are: it tells version 4 of the list, after version 5. "
            + "The 2 that it has named before are kept, and it is asked again", Assert.Single(Failures()));

        Tells(6, "b||2");
        await AskAgainAsync();
        Assert.Equal(["a:1,b:2", "b:2"], _found);

        // Nobody is there any more of the newer list: the cluster has been made anew.
        _isAnyUp = false;
        Tells(1, "c||3");
        await AskAgainAsync();
        Assert.Equal("c:3", _found[2]);

        // And once more, with as high a version as the first time.
        Tells(1, "d||4");
        await AskAgainAsync();
        Assert.Equal("d:4", _found[3]);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(7)]
    public async Task A_version_that_is_too_high_holds_the_list_for_three_answers_at_most(long wrong)
    {
        Tells(wrong, "liar||1");
        _discovery.AskFirst();
        Tells(7, "a||1 b||2");
        await AskAgainAsync();
        await AskAgainAsync();
        Assert.Equal(["liar:1"], _found);
        Assert.Single(Failures());
        await AskAgainAsync();
        Assert.Equal(["liar:1", "a:1,b:2"], _found);

        // From there on it counts as before.
        Tells(6, "c||3");
        await AskAgainAsync();
        Assert.Equal(2, _found.Count);
        Tells(8, "b||2");
        await AskAgainAsync();
        Assert.Equal("b:2", _found[2]);
    }

    [Fact]
    public async Task Answers_that_differ_are_not_taken_for_a_list_that_is_kept_to()
    {
        Tells(9, "a||1");
        _discovery.AskFirst();
        foreach (int version in (int[])[4, 4, 9, 4, 4, 3, 3])
        {
            Tells(version, version == 9 ? "a||1" : "b||2");
            await AskAgainAsync();
        }

        Assert.Equal(["a:1"], _found);
        Tells(4, "c||3");
        await AskAgainAsync();
        Assert.Equal("c:3", _found[1]);
    }

    [Fact]
    public async Task Questions_that_failing_nodes_set_off_do_not_make_an_older_list_true_sooner()
    {
        Tells(9, "a||1");
        _discovery.AskFirst();
        Tells(4, "b||2");
        await AskAgainAsync();
        for (int i = 0; i < 5; i++)
        {
            await Eventually.True(() => _time.IsPausing(Interval), "it waits");
            int before = _factory.Attempts;
            _discovery.OnNodeDown();
            await Eventually.True(() => _time.IsPausing(ServerDiscovery.ShortestPause), "it puts the question off");
            _time.Advance(ServerDiscovery.ShortestPause);
            await Eventually.True(() => _factory.Attempts > before, "it asks");
        }

        await AskAgainAsync();
        Assert.Equal(["a:1"], _found);
        await AskAgainAsync();
        Assert.Equal(["a:1", "b:2"], _found);
    }

    [Fact]
    public async Task A_failure_is_told_once_until_it_is_another_or_over()
    {
        Tells(1, "a||1");
        _discovery.AskFirst();
        _answer = "ERROR\r\n";
        await AskAgainAsync();
        await AskAgainAsync();
        Assert.Single(Failures());
        Tells(2, "");
        await AskAgainAsync();
        await AskAgainAsync();
        Assert.Equal(2, Failures().Count);
        Assert.Contains("names 0 servers", Failures()[1], StringComparison.Ordinal);
        Tells(1, "a||1");
        await AskAgainAsync();
        Assert.Equal(2, _log.Of(EventIds.ServersDiscovered).Count);
        _answer = "ERROR\r\n";
        await AskAgainAsync();
        Assert.Equal(3, Failures().Count);
        Assert.Equal(["a:1"], _found);
    }

    [Fact]
    public async Task An_answer_that_never_ends_is_given_up()
    {
        Tells(1, "a||1");
        _discovery.AskFirst();
        _answer = "CONFIG cluster 0 60000\r\n" + new string('a', 70_000);
        await AskAgainAsync();
        Assert.Contains("does not end", Assert.Single(Failures()), StringComparison.Ordinal);
        _answer = "CONFIG clus";
        await Eventually.True(() => _time.IsPausing(Interval), "it waits");
        int before = _factory.Attempts;
        _time.Advance(Interval);
        await Eventually.True(() => _factory.Attempts > before && _factory.Opened[^1].IsReadUp, "it has asked, and waits for the rest");
        _time.Advance(TimeSpan.FromSeconds(3));
        await Eventually.True(() => Failures().Count == 2, "it is given up");
        Assert.Contains("no answer within 3 s", Failures()[1], StringComparison.Ordinal);
        Assert.All(_factory.Opened, static connection => Assert.True(connection.IsDisposed));
    }

    [Fact]
    public async Task Without_an_answer_the_first_is_asked_for_every_second()
    {
        _answer = "ERROR\r\n";
        _discovery.AskFirst();
        await Eventually.True(() => _time.IsPausing(ServerDirectory.RetryPause), "it asks soon again");
        Tells(1, "a||1");
        _time.Advance(ServerDirectory.RetryPause);
        await Eventually.True(() => _found.Count == 1, "it has the answer");
        await Eventually.True(() => _time.IsPausing(Interval), "and then as often as is set");
    }

    [Fact]
    public async Task It_is_asked_soon_after_a_node_has_failed_and_not_for_each_that_fails()
    {
        Tells(1, "a||1 b||2");
        _discovery.AskFirst();
        await Eventually.True(() => _time.IsPausing(Interval), "it waits");
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, _factory.Attempts);
        _discovery.OnNodeDown();
        await Eventually.True(() => _factory.Attempts == 2, "it asks at once");
        await Eventually.True(() => _time.IsPausing(Interval), "it waits again");
        for (int i = 0; i < 10; i++)
        {
            _discovery.OnNodeDown();
        }

        await Eventually.True(() => _time.IsPausing(ServerDiscovery.ShortestPause), "it puts the question off");
        Assert.Equal(2, _factory.Attempts);
        _time.Advance(ServerDiscovery.ShortestPause);
        await Eventually.True(() => _factory.Attempts == 3, "one question for all of them");
        await Eventually.True(() => _time.IsPausing(Interval), "it waits again");
        Assert.Equal(3, _factory.Attempts);
    }

    private void Tells(long version, string servers)
    {
        string payload = $"{version}\n{servers}\n";
        _answer = $"CONFIG cluster 0 {payload.Length}\r\n{payload}\r\nEND\r\n";
    }

    private IReadOnlyList<string> Failures() => _log.Of(EventIds.DiscoveryFailed);

    private async Task AskAgainAsync()
    {
        await Eventually.True(() => _time.IsPausing(Interval), "it waits");
        int before = _factory.Attempts;
        _time.Advance(Interval);
        await Eventually.True(() => _factory.Attempts > before, "it asks");
        await Eventually.True(() => _time.IsPausing(Interval), "it has the answer");
    }
}
