using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Distributed;
using MemcachedDistributedCache.Tests.Fakes;

namespace MemcachedDistributedCache.Tests.Telemetry;

/// <summary>Warnings that come with each read.</summary>
public sealed class LogLimiterTests
{
    [Fact]
    public void One_passes_a_minute_and_tells_how_many_did_not()
    {
        var time = new ManualTimeProvider();
        var limiter = new LogLimiter(time);
        Assert.True(limiter.TryPass(out long suppressed));
        Assert.Equal(0, suppressed);
        for (int minute = 0; minute < 3; minute++)
        {
            for (int i = 0; i < 59; i++)
            {
                time.Advance(TimeSpan.FromSeconds(1));
                Assert.False(limiter.TryPass(out suppressed));
            }

            time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(limiter.TryPass(out suppressed));
            Assert.Equal(59, suppressed);
        }
    }

    [Fact]
    public void One_of_many_at_once_passes_and_all_others_are_counted()
    {
        var time = new ManualTimeProvider();
        var limiter = new LogLimiter(time);
        int passed = 0;
        Parallel.For(0, 10_000, _ => Interlocked.Add(ref passed, limiter.TryPass(out long _) ? 1 : 0));
        Assert.Equal(1, passed);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(limiter.TryPass(out long suppressed));
        Assert.Equal(9_999, suppressed);
    }

    [Fact]
    public async Task Reads_of_what_is_no_entry_warn_once()
    {
        var rig = new StoreRig();
        rig.Client.Items["key"] = ([1, 2, 3], 7, 1000);
        for (int i = 0; i < 1000; i++)
        {
            Assert.Null(await rig.Get());
        }

        Assert.Single(rig.Log.Ids);
    }

    [Fact]
    public async Task Reads_of_entries_that_cannot_be_read_warn_once_for_each_kind()
    {
        var model = new HybridModel(new ManualTimeProvider());
        using var rig = new HybridRig(model);
        using var other = new HybridRig(model);
        for (int i = 0; i < 100; i++)
        {
            model.Store("#=foreign", [1, 2, 3], EntryFormat.FlagsOf(EntryKind.TagVersion), 100, null, false, this);
            Assert.Equal("new", await rig.Get("foreign", "new"));
            await other.Parts.Changes.SetAsync("number", 5, rig.Options(), []);
            Assert.Equal("new", await rig.Get("number", "new"));
            rig.Pass(2);
        }

        Assert.Equal(200, rig[HybridEvent.DeserializationFailed]);
        Assert.Equal([2001, 3003], rig.Log.Ids);
    }
}
