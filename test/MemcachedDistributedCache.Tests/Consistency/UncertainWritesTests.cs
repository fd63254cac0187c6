using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Consistency;

public sealed class UncertainWritesTests
{
    private readonly FenceKeeper _fences = SilentNode.Fences();

    [Fact]
    public void A_key_is_uncertain_until_its_newest_uncertain_write_ends()
    {
        UncertainWrites writes = Writes(10);
        Assert.True(writes.IsEmpty);
        writes.Add("a"u8, mayOvertakeRemoval: true, SettlingConnection.None);
        KeyValuePair<byte[], UncertainWrites.UncertainWrite> first = Assert.Single(writes.Snapshot());
        writes.Add("a"u8, mayOvertakeRemoval: false, SettlingConnection.None);
        Assert.False(writes.Clear(first)); // a newer write has failed meanwhile
        Assert.True(writes.Contains("a"u8));
        Assert.False(writes.Contains("b"u8));
        KeyValuePair<byte[], UncertainWrites.UncertainWrite> second = Assert.Single(writes.Snapshot());
        Assert.True(second.Value.MayOvertakeRemoval); // the older one was sent, and may yet be done
        Assert.True(writes.Clear(second));
        Assert.False(writes.Clear(second));
        Assert.True(writes.IsEmpty);
        Assert.Equal(0, writes.Count);
    }

    [Fact]
    public void One_key_too_many_makes_all_uncertain()
    {
        UncertainWrites writes = Writes(2);
        Assert.False(Add(writes, "a"));
        Assert.False(Add(writes, "b"));
        Assert.False(Add(writes, "b")); // known already
        Assert.False(writes.AreAllUncertain);
        Assert.True(Add(writes, "c")); // told once
        Assert.False(Add(writes, "d"));
        Assert.True(writes.Contains("never written"u8));
        Assert.False(writes.IsEmpty);
    }

    [Fact]
    public void What_fails_while_the_fence_is_renewed_is_not_forgotten()
    {
        UncertainWrites writes = Writes(2);
        Add(writes, "a");
        Add(writes, "b");
        Add(writes, "c");
        writes.BeginAnew();
        Assert.True(writes.Contains("a"u8)); // everything is, yet
        Add(writes, "d");
        Assert.True(writes.TryRenewFence());
        Settle(7);
        Assert.False(writes.Contains("a"u8));
        Assert.True(writes.Contains("d"u8));
        Assert.False(_fences.WholeNode.Admits(7));
        Assert.True(_fences.WholeNode.Admits(8));

        Add(writes, "e");
        Add(writes, "f");
        writes.BeginAnew();
        Add(writes, "g");
        Add(writes, "h");
        Add(writes, "i");
        Assert.False(writes.TryRenewFence()); // too many again
        Assert.True(writes.AreAllUncertain);
    }

    [Fact]
    public void A_number_that_was_asked_for_before_there_were_too_many_keys_again_does_not_count()
    {
        UncertainWrites writes = Writes(1);
        Add(writes, "a");
        Add(writes, "b");
        writes.BeginAnew();
        Assert.True(writes.TryRenewFence());
        int asked = _fences.WholeNode.Version;
        Add(writes, "c");
        Add(writes, "d");
        Assert.False(_fences.WholeNode.Settle_NeedsLock(asked, 7));
        Assert.True(writes.AreAllUncertain);
    }

    [Fact]
    public void A_server_that_did_not_count_is_asked_again_on_the_next_connection()
    {
        CasFence fence = CasFence.NewClosed();
        fence.Close_NeedsLock(ask: true);
        Assert.False(fence.Settle_NeedsLock(fence.Version, 0)); // -C
        Assert.False(fence.IsWanted);
        Assert.True(fence.IsClosed);
        fence.RequireCheck_NeedsLock();
        Assert.True(fence.IsWanted);
        Assert.True(fence.Settle_NeedsLock(fence.Version, 7));
        Assert.True(fence.Admits(8));
    }

    /// <summary>Another change of the key tells what it holds, if it began later and the server acts on both in their order.</summary>
    [Theory]
    [InlineData(5L, 5L, true, true)] // by the same connection
    [InlineData(5L, 6L, true, false)] // by another
    [InlineData(5L, 5L, false, false)] // begun before
    [InlineData(SettlingConnection.Any, 6L, true, true)] // the first was not sent
    [InlineData(SettlingConnection.Any, 6L, false, false)]
    [InlineData(SettlingConnection.None, 5L, true, false)] // the first may come at any time
    public void A_later_change_settles_a_key_where_their_order_is_known(long settledBy, long connection, bool isLater, bool isSettled)
    {
        UncertainWrites writes = Writes(10);
        Add(writes, "other");
        long before = writes.LastVersion;
        writes.Add("key"u8, mayOvertakeRemoval: false, settledBy);
        writes.Settle("key"u8, isLater ? writes.LastVersion : before, connection);
        Assert.Equal(!isSettled, writes.Contains("key"u8));
        Assert.Equal(isSettled ? 1 : 2, writes.Count);
    }

    [Theory]
    [InlineData(5L, 5L, 5L)]
    [InlineData(SettlingConnection.Any, 5L, 5L)]
    [InlineData(5L, SettlingConnection.Any, 5L)]
    [InlineData(SettlingConnection.Any, SettlingConnection.Any, SettlingConnection.Any)]
    [InlineData(5L, 6L, SettlingConnection.None)]
    [InlineData(5L, SettlingConnection.None, SettlingConnection.None)]
    [InlineData(SettlingConnection.Any, SettlingConnection.None, SettlingConnection.None)]
    public void Two_uncertain_writes_of_a_key_are_settled_by_what_settles_both(long first, long second, long both)
    {
        UncertainWrites writes = Writes(10);
        writes.Add("key"u8, mayOvertakeRemoval: false, first);
        writes.Add("key"u8, mayOvertakeRemoval: false, second);
        Assert.Equal(both, Assert.Single(writes.Snapshot()).Value.SettledBy);
    }

    private static bool Add(UncertainWrites writes, string key)
        => writes.Add(System.Text.Encoding.ASCII.GetBytes(key), mayOvertakeRemoval: false, SettlingConnection.None);

    private UncertainWrites Writes(int maximum) => new(maximum, _fences);

    private void Settle(ulong cas) => Assert.True(_fences.WholeNode.Settle_NeedsLock(_fences.WholeNode.Version, cas));
}
