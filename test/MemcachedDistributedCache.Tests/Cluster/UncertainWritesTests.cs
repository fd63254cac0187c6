using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class UncertainWritesTests
{
    [Fact]
    public void A_key_is_uncertain_until_its_newest_uncertain_write_ends()
    {
        var uncertain = new UncertainWrites(10, new NodeFence());
        Assert.True(uncertain.IsEmpty);
        uncertain.Add("a"u8, mayOvertakeRemoval: true);
        KeyValuePair<byte[], UncertainWrites.UncertainWrite> first = Assert.Single(uncertain.Snapshot());
        uncertain.Add("a"u8, mayOvertakeRemoval: false);
        Assert.False(uncertain.Clear(first)); // a newer write has failed meanwhile
        Assert.True(uncertain.Contains("a"u8));
        Assert.False(uncertain.Contains("b"u8));
        KeyValuePair<byte[], UncertainWrites.UncertainWrite> second = Assert.Single(uncertain.Snapshot());
        Assert.True(second.Value.MayOvertakeRemoval); // the older one was sent, and may yet be done
        Assert.True(uncertain.Clear(second));
        Assert.False(uncertain.Clear(second));
        Assert.True(uncertain.IsEmpty);
        Assert.Equal(0, uncertain.Count);
    }

    [Fact]
    public void One_key_too_many_makes_all_uncertain()
    {
        var uncertain = new UncertainWrites(2, new NodeFence());
        Assert.False(uncertain.Add("a"u8, false));
        Assert.False(uncertain.Add("b"u8, false));
        Assert.False(uncertain.Add("b"u8, false)); // known already
        Assert.False(uncertain.AreAllUncertain);
        Assert.True(uncertain.Add("c"u8, false)); // told once
        Assert.False(uncertain.Add("d"u8, false));
        Assert.True(uncertain.Contains("never written"u8));
        Assert.False(uncertain.IsEmpty);
    }

    [Fact]
    public void A_fence_needs_a_pause_only_where_requests_may_be_on_their_way()
    {
        var uncertain = new UncertainWrites(2, new NodeFence());
        uncertain.MarkAllUncertain(needsGrace: false);
        Assert.False(uncertain.BeginAnew());
        uncertain.Add("a"u8, true);
        uncertain.MarkAllUncertain(needsGrace: false);
        Assert.True(uncertain.BeginAnew()); // for a key that is forgotten
        uncertain.MarkAllUncertain(needsGrace: false);
        uncertain.Add("b"u8, true);
        Assert.True(uncertain.BeginAnew()); // for one that was not even remembered
        uncertain.MarkAllUncertain();
        uncertain.MarkAllUncertain(needsGrace: false);
        Assert.True(uncertain.BeginAnew());
        Assert.False(uncertain.BeginAnew());
        foreach (string key in (string[])["c", "d", "e"])
        {
            uncertain.Add(System.Text.Encoding.ASCII.GetBytes(key), false);
        }

        Assert.True(uncertain.BeginAnew());
    }

    [Fact]
    public void What_fails_while_the_fence_is_found_is_not_forgotten()
    {
        var uncertain = new UncertainWrites(2, new NodeFence());
        foreach (string key in (string[])["a", "b", "c"])
        {
            uncertain.Add(System.Text.Encoding.ASCII.GetBytes(key), false);
        }

        uncertain.BeginAnew();
        Assert.True(uncertain.Contains("a"u8)); // everything is, yet
        uncertain.Add("d"u8, false);
        Assert.True(uncertain.TrySettleAll(1));
        Assert.False(uncertain.Contains("a"u8));
        Assert.True(uncertain.Contains("d"u8));

        uncertain.Add("e"u8, false);
        uncertain.Add("f"u8, false);
        uncertain.BeginAnew();
        foreach (string key in (string[])["g", "h", "i"])
        {
            uncertain.Add(System.Text.Encoding.ASCII.GetBytes(key), false);
        }

        Assert.False(uncertain.TrySettleAll(1)); // too many again
        Assert.True(uncertain.AreAllUncertain);
    }
}
