using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>Tags by a clock that the test moves.</summary>
public sealed class TagTests : IDisposable
{
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly List<HybridRig> _rigs = [];

    public void Dispose() => _rigs.ForEach(static rig => rig.Dispose());

    [Fact]
    public async Task The_interval_is_the_bound()
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("key", "old", "t");
        Assert.Equal("old", await other.Peek("key"));
        await one.Parts.Tags.InvalidateAsync("t");
        Assert.Null(await one.Peek("key"));
        other.Pass(0.99);
        Assert.Equal("old", await other.Peek("key"));
        other.Pass(0.02);
        Assert.Null(await other.Peek("key"));
    }

    [Fact]
    public async Task In_steady_traffic_versions_are_read_ahead_and_nobody_waits()
    {
        HybridRig one = New(static s => s.LocalCacheRevalidation = TimeSpan.FromHours(1));
        await one.Get("key", "value", "t");
        long misses = one[HybridEvent.LocalMiss];
        for (int i = 0; i < 100; i++)
        {
            one.Pass(0.1);
            Assert.Equal("value", await one.Get("key", "never", "t"));
        }

        Assert.Equal(misses, one[HybridEvent.LocalMiss]);
        Assert.InRange(one[HybridEvent.TagRead], 20, 30); // two tags, each a little more often than once a second
    }

    [Fact]
    public async Task A_read_that_was_sent_before_an_invalidation_is_not_believed_after_it()
    {
        HybridRig one = New();
        await one.Set("key", "old", "t");
        one.Pass(2);
        var held = new TaskCompletionSource();
        one.Client.Hold = (verb, key) => verb == "get" && key == "#@t" ? held.Task : Task.CompletedTask;
        var old = _model.Get("#@t", one.Client.Origin);
        one.Client.Before = (verb, key) => verb == "get" && key == "#@t" ? old : null;
        Task<string?> reading = one.Peek("key");
        one.Client.Hold = null;
        one.Client.Before = null;
        await one.Parts.Tags.InvalidateAsync("t");
        held.SetResult();
        Assert.Null(await reading);
        Assert.Null(await one.Peek("key"));
    }

    [Fact]
    public async Task An_invalidation_that_is_not_delivered_holds_here_and_is_delivered_with_the_next_read()
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("key", "old", "t");
        Assert.Equal("old", await other.Peek("key"));
        one.Client.IsAway = true;
        await one.Parts.Tags.InvalidateAsync("t");
        one.Client.IsAway = false;
        Assert.Null(await one.Peek("key"));
        one.Pass(2);

        // It has not been heard of elsewhere: that is what documentation says of it.
        Assert.Equal("old", await other.Peek("key"));
        await one.Set("other", "x", "t");
        one.Pass(2);
        Assert.Null(await other.Peek("key"));
        Assert.Equal("x", await other.Peek("other"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_invalidation_that_is_delivered_late_undoes_none_that_came_between(bool arrived)
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("warm", "x", "t");
        Assert.Equal("x", await other.Peek("warm"));
        one.Client.Before = (verb, key) =>
        {
            if (verb != "set" || key != "#@t")
            {
                return null;
            }

            if (arrived)
            {
                _model.Store(key, one.Parts.TagTable.Of("t").Current!.ToArray(), EntryFormat.FlagsOf(EntryKind.TagVersion), 1000, null, false, this);
            }

            return OperationResult.Failed(new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1"), WasSent: true));
        };
        await one.Parts.Tags.InvalidateAsync("t");
        one.Client.Before = null;
        await one.Set("key", "between", "t");
        await other.Parts.Tags.InvalidateAsync("t");
        for (int i = 0; i < 3; i++)
        {
            one.Pass(2);
            Assert.Null(await one.Peek("key"));
            other.Pass(2);
            Assert.Null(await other.Peek("key"));
            Assert.Null(await New().Peek("key"));
        }

        // And it has been delivered: what is made from now on is right for all.
        await one.Set("new", "y", "t");
        Assert.Equal("y", await New().Peek("new"));
        other.Pass(2);
        Assert.Equal("y", await other.Peek("new"));
        Assert.False(one.Parts.TagTable.Of("t").IsPending);
    }

    [Fact]
    public async Task Invalidations_of_one_tag_are_delivered_one_after_the_other()
    {
        HybridRig one = New();
        await one.Set("key", "old", "t");
        var held = new TaskCompletionSource();
        one.Client.Hold = (verb, key) => verb == "set" && key == "#@t" ? held.Task : Task.CompletedTask;
        Task[] all = [.. Enumerable.Range(0, 5).Select(_ => one.Parts.Tags.InvalidateAsync("t"))];
        Assert.Equal(1, one.Client.Count("set", "#@t"));
        Assert.Null(await one.Peek("key"));
        one.Client.Hold = null;
        held.SetResult();
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(30));

        // The last of them delivers for all who wait.
        Assert.Equal(2, one.Client.Count("set", "#@t"));
        Assert.Equal(one.Parts.TagTable.Of("t").Current, TagVersion.Read(_model.Get("#@t", this).Value));
        Assert.False(one.Parts.TagTable.Of("t").IsPending);
    }

    [Fact]
    public async Task Invalidations_that_wait_for_a_server_that_is_late_share_one_delivery()
    {
        HybridRig one = New();
        await one.Set("key", "old", "t");
        var held = new TaskCompletionSource();
        one.Client.Hold = (verb, key) => verb == "set" && key == "#@t" ? held.Task : Task.CompletedTask;
        one.Client.Before = static (verb, key) =>
            verb == "set" && key == "#@t"
                ? OperationResult.Failed(new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1"), WasSent: true))
                : null;
        Task[] all = [.. Enumerable.Range(0, 5).Select(_ => one.Parts.Tags.InvalidateAsync("t"))];
        held.SetResult();
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(30));

        // Each on its own would wait a limit after the one before.
        Assert.Equal(2, one.Client.Count("set", "#@t"));
        Assert.True(one.Parts.TagTable.Of("t").IsPending);
        Assert.Null(await one.Peek("key"));
    }

    [Fact]
    public async Task Where_no_version_can_be_read_an_entry_is_neither_used_nor_removed()
    {
        HybridRig one = New();
        await one.Set("key", "value", "t");
        HybridRig fresh = New();
        fresh.Client.Before = static (_, key) =>
            key == "#@t"
                ? OperationResult.Failed(new OperationFailure(MemcachedFailureReason.Unavailable, new NodeCounters("mc1"), WasSent: false))
                : null;
        Assert.Equal("own", await fresh.Get("key", "own"));
        Assert.Equal("value", await one.Peek("key"));
        one.Pass(2);
        Assert.Equal("value", await one.Peek("key"));

        // What was made meanwhile lives here, and as soon as the version can be read the cluster's is used.
        fresh.Client.Before = null;
        fresh.Pass(2);
        Assert.Equal("value", await fresh.Get("key", "never"));
    }

    [Fact]
    public async Task Known_versions_go_on_while_the_cluster_is_away()
    {
        HybridRig one = New();
        await one.Get("key", "value", "t");
        one.Client.IsAway = true;
        for (int i = 0; i < 10; i++)
        {
            one.Pass(2);
            Assert.Equal("value", await one.Get("key", "never", "t"));
        }
    }

    [Fact]
    public async Task More_tags_than_are_remembered_cost_misses_and_never_an_old_entry()
    {
        HybridRig one = New(maximumTags: 20);
        for (int i = 0; i < 100; i++)
        {
            await one.Set("key" + i, "old", "tag" + i);
            one.Pass(0.01);
        }

        Assert.InRange(one.Parts.TagTable.Count, 1, 20);
        for (int i = 0; i < 100; i++)
        {
            await one.Parts.Tags.InvalidateAsync("tag" + i);
        }

        for (int i = 0; i < 100; i++)
        {
            Assert.Null(await one.Peek("key" + i));
        }
    }

    [Fact]
    public async Task A_tag_that_is_forgotten_before_its_entry_is_made_leaves_no_copy_behind()
    {
        HybridRig one = New(maximumTags: 20);
        var held = new TaskCompletionSource();
        one.Client.Hold = (verb, key) => verb == "lease" && key == "#=key" ? held.Task : Task.CompletedTask;
        Task<string> making = one.Get("key", "old", "t");
        TagState state = one.Parts.TagTable.Of("t");
        for (int i = 0; i < 100; i++)
        {
            await one.Set("key" + i, "x", "tag" + i);
            one.Pass(0.01);
        }

        one.Client.Hold = null;
        held.SetResult();
        Assert.Equal("old", await making);
        Assert.NotSame(state, one.Parts.TagTable.Of("t"));
        await one.Parts.Tags.InvalidateAsync("t");
        Assert.Null(await one.Peek("key"));
        one.Pass(2);
        Assert.Null(await one.Peek("key"));
    }

    [Fact]
    public async Task Tags_that_are_about_to_be_read_are_not_forgotten_first()
    {
        HybridRig one = New(maximumTags: 20);
        for (int i = 0; i < 18; i++)
        {
            await one.Set("key" + i, "x", "tag" + i);
            one.Pass(0.01);
        }

        TagState[] states = one.Parts.Tags.Resolve(["a", "b", "c"], [.. "#=key"u8]);
        Assert.InRange(one.Parts.TagTable.Count, 1, 20);
        Assert.Equal(states.Skip(1), ((string[])["a", "b", "c"]).Select(one.Parts.TagTable.Of));
    }

    [Fact]
    public async Task More_undelivered_invalidations_than_are_remembered_invalidate_everything()
    {
        HybridRig one = New(maximumTags: 20);
        for (int i = 0; i < 40; i++)
        {
            await one.Set("key" + i, "old", "tag" + i);
        }

        await one.Set("plain", "old");
        one.Client.IsAway = true;
        for (int i = 0; i < 40; i++)
        {
            await one.Parts.Tags.InvalidateAsync("tag" + i);
        }

        one.Client.IsAway = false;
        for (int i = 0; i < 40; i++)
        {
            Assert.Null(await one.Peek("key" + i));
        }

        Assert.Null(await one.Peek("plain"));
    }

    [Fact]
    public async Task A_superseded_version_is_never_believed_again()
    {
        HybridRig one = New();
        await one.Set("key", "old", "t");
        byte[] superseded = _model.Get("#@t", one.Client.Origin).Value!;
        await one.Parts.Tags.InvalidateAsync("t");
        _model.Store("#@t", superseded, EntryFormat.FlagsOf(EntryKind.TagVersion), 1000, null, false, this);
        one.Pass(2);
        Assert.Null(await one.Peek("key"));
        await Eventually.True(() => !_model.Get("#@t", this).Value!.AsSpan().SequenceEqual(superseded), "it is replaced");

        // Nor by an instance that did not invalidate it, but saw the newer one.
        HybridRig other = New();
        await other.Set("key", "newer", "t");
        byte[] second = _model.Get("#@t", this).Value!;
        await one.Parts.Tags.InvalidateAsync("t");
        other.Pass(2);
        Assert.Null(await other.Peek("key"));
        _model.Store("#@t", second, EntryFormat.FlagsOf(EntryKind.TagVersion), 1000, null, false, this);
        other.Pass(2);
        Assert.Null(await other.Peek("key"));
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 0)]
    public async Task A_version_that_is_about_to_end_is_extended_where_it_belongs_and_nowhere_else(bool inGutter, int stores)
    {
        HybridRig one = New();
        await one.Set("key", "value", "t");
        one.Client.Before = (verb, key) =>
            verb == "get" && key == "#@t" ? _model.Get(key, one.Client.Origin) with { TimeToLive = 20, IsOfGutter = inGutter } : null;
        one.Pass(2);
        Assert.Equal("value", await one.Peek("key"));
        Assert.Equal(stores, one.Client.Count("cas", "#@t"));
    }

    [Fact]
    public async Task What_is_invalidated_before_any_server_is_known_is_invalid_when_the_first_ones_are()
    {
        HybridRig other = New();
        await other.Set("key", "old");
        HybridRig one = New();
        (IReadOnlyList<IClusterNode> nodes, one.Client.Nodes, one.Client.IsAway) = (one.Client.Nodes, [], true);
        await one.Parts.Tags.InvalidateAsync("*");
        Assert.Null(await one.Peek("key"));
        (one.Client.Nodes, one.Client.IsAway) = (nodes, false);
        Assert.Null(await one.Peek("key"));
        one.Pass(2);
        Assert.Null(await one.Peek("key"));
        Assert.Null(await other.Peek("key"));

        // Once, and not those that join later.
        await one.Set("key", "new");
        one.Client.Nodes = [.. nodes, new FakeNode()];
        Assert.Equal("new", await New().Peek("key"));
        one.Pass(2);
        Assert.Equal("new", await one.Peek("key"));
        Assert.Equal("new", await other.Peek("key"));
        Assert.False(one.Parts.TagTable.WildcardOn(one.Client.Nodes[1]).IsPending);
    }

    [Fact]
    public async Task A_node_that_is_gone_is_forgotten_with_what_this_process_has_of_it()
    {
        HybridRig one = New();
        IReadOnlyList<IClusterNode> before = one.Client.Nodes;
        await one.Set("key", "value");
        for (int i = 0; i < 10; i++)
        {
            one.Client.Nodes = [new FakeNode()];
            await one.Set("key" + i, "value");
            Assert.InRange(one.Parts.TagTable.Wildcards().Length, 1, 2);
        }

        // Its copies are read anew, and hear of what is invalidated.
        one.Client.Nodes = before;
        await one.Parts.Tags.InvalidateAsync("*");
        Assert.Null(await one.Peek("key"));
    }

    [Fact]
    public void Versions_are_unique_and_round_trip()
    {
        TagVersion[] versions = [.. Enumerable.Range(0, 10_000).Select(_ => TagVersion.Create(_model.Time))];
        Assert.Equal(versions.Length, versions.Distinct().Count());
        Assert.All(versions.Take(100), static version => Assert.Equal(version, TagVersion.Read(version.ToArray())));
    }

    private HybridRig New(Action<MemcachedHybridCacheOptions>? configure = null, int maximumTags = 100_000)
    {
        var rig = new HybridRig(_model, configure, maximumTags);
        _rigs.Add(rig);
        return rig;
    }
}
