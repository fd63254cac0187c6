using System.Buffers.Binary;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Tests.Distributed;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Layout;

/// <summary>Times that somebody else wrote into the cluster.</summary>
public sealed class StoredTimeTests
{
    [Theory]
    [InlineData(long.MinValue)]
    [InlineData(long.MinValue + 1)]
    [InlineData(-1)]
    [InlineData(253_402_300_800_001)]
    [InlineData(long.MaxValue - 1)]
    [InlineData(long.MaxValue)]
    public async Task An_entry_whose_deadline_cannot_be_is_a_miss_whatever_its_window(long deadline)
    {
        foreach (long window in (long[])[0, 10, long.MaxValue])
        {
            var rig = new StoreRig();
            Plant(rig, deadline, window);
            Assert.Null(await rig.Get());
            await rig.Refresh();
            Assert.True(rig.Client.Count(OperationKind.Touch) <= 1, "a refresh asks nothing of the deadline, and a read moves nothing");
        }
    }

    [Fact]
    public async Task A_touch_that_met_an_entry_with_a_deadline_that_cannot_be_puts_it_right_with_the_default()
    {
        foreach (long deadline in (long[])[long.MinValue, -1, 253_402_300_800_001, long.MaxValue])
        {
            var rig = new StoreRig();
            await rig.Set(StoreRig.Sliding(10));
            rig.Pass(2);
            rig.Client.Before = kind =>
            {
                if (kind == OperationKind.Touch)
                {
                    rig.Client.Before = null;
                    Plant(rig, deadline, window: 0);
                }

                return null;
            };
            await rig.Refresh();
            Assert.Equal((20 * 60) + Expiration.ClockSlackSeconds, rig.Client.Calls.Last(static call => call.Kind == OperationKind.Touch).TimeToLive);
        }
    }

    [Fact]
    public async Task An_entry_without_end_is_read()
    {
        var rig = new StoreRig();
        await rig.Set(new() { AbsoluteExpiration = DateTimeOffset.MaxValue });
        Assert.NotNull(await rig.Get());
        await rig.Set(new() { AbsoluteExpirationRelativeToNow = TimeSpan.MaxValue, SlidingExpiration = TimeSpan.FromSeconds(10) });
        rig.Pass(9);
        Assert.NotNull(await rig.Get());
        await rig.Refresh();
    }

    private static void Plant(StoreRig rig, long deadline, long window)
    {
        byte[] item = new byte[13];
        BinaryPrimitives.WriteInt64BigEndian(item, deadline);
        rig.Client.Items["key"] = (item, EntryFormat.ToFlags(hasDeadline: true, window), 5);
    }
}
