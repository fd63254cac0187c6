using MemcachedDistributedCache.AspNetCore.OutputCaching;

namespace MemcachedDistributedCache.AspNetCore.Tests.OutputCaching;

public sealed class LookupLogTests
{
    [Fact]
    public void The_first_miss_since_is_found()
    {
        var log = new LookupLog();
        log.NoteMiss("a", At(10));
        log.NoteMiss("a", At(30));
        log.NoteMiss("a", At(20));
        Assert.Equal(10, log.FirstSince("a", 5)?.Timestamp);
        Assert.Equal(10, log.FirstSince("a", 10)?.Timestamp);
        Assert.Equal(20, log.FirstSince("a", 11)?.Timestamp);
        Assert.Null(log.FirstSince("a", 31));
        Assert.Null(log.FirstSince("b", 5));
    }

    [Fact]
    public void A_hit_since_leaves_it_open()
    {
        var log = new LookupLog();
        log.NoteHit("a", 15);
        log.NoteMiss("a", At(20));
        Assert.Null(log.FirstSince("a", 10));
        Assert.Equal(20, log.FirstSince("a", 16)?.Timestamp);
        log.NoteHit("a", 12);
        Assert.Null(log.FirstSince("a", 15));
    }

    [Fact]
    public void What_was_forgotten_is_not_taken_for_known()
    {
        var log = new LookupLog();
        for (int i = 1; i <= 100; i++)
        {
            log.NoteMiss("a", At(i));
        }

        Assert.Null(log.FirstSince("a", 50));
        Assert.Equal(95, log.FirstSince("a", 95)?.Timestamp);
    }

    [Fact]
    public void Pages_are_forgotten_in_bounds_and_never_wrongly_remembered()
    {
        const int Pages = 10;
        var random = new Random(3);
        var log = new LookupLog(Pages);
        var all = new List<(string Key, long At)>();
        for (int at = 1; at <= 2000; at++)
        {
            string key = "page" + random.Next(40) + new string('x', random.Next(2) * 600);
            log.NoteMiss(key, At(at));
            all.Add((key, at));
            (string asked, long since) = (all[random.Next(all.Count)].Key, random.Next(1, at + 1));
            if (log.FirstSince(asked, since) is { } found)
            {
                Assert.Equal(all.First(lookup => lookup.Key == asked && lookup.At >= since).At, found.Timestamp);
            }
        }

        // The page that was looked for last is always known.
        Assert.Equal(2000, log.FirstSince(all[^1].Key, 2000)?.Timestamp);
    }

    private static LookupLog.Lookup At(long timestamp) => new(timestamp, []);
}
