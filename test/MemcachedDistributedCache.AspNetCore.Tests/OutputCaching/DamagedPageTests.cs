using System.Buffers;
using MemcachedDistributedCache.AspNetCore.OutputCaching;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.Tests.OutputCaching;

/// <summary>Pages that are not in the cluster what they were when they were stored, or have what a page may not have.</summary>
public sealed class DamagedPageTests(OwnNodes nodes) : IClassFixture<OwnNodes>
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly DistributedCacheEntryOptions ForAMinute = new() { AbsoluteExpirationRelativeToNow = Minute };

    [MemcachedFact]
    public async Task None_of_four_hundred_damaged_copies_is_found_and_each_is_removed()
    {
        await using PageApp app = await StartAsync();
        byte[] page = new byte[700];
        var random = new Random(5);
        random.NextBytes(page);
        await app.Store.SetAsync("key", page, ["a", "b"], Minute, default);
        byte[] stored = (await app.Pages.GetAsync("qkey"))!;
        for (int i = 0; i < 400; i++)
        {
            await app.Pages.SetAsync("qkey", Damage(stored, random, i % 5), ForAMinute);
            Assert.Null(await app.Store.GetAsync("key", default));
            Assert.Null(await app.Pages.GetAsync("qkey"));
        }

        Assert.Equal(1, app.Log.Entries.Count(static entry => entry.Id == 4005));
        Assert.Equal((400, 400), (app.Statistics.Damaged, app.Statistics.Misses));
        await app.Pages.SetAsync("qkey", stored, ForAMinute);
        Assert.Equal(page, await app.Store.GetAsync("key", default));
    }

    [Fact]
    public void Each_flipped_bit_is_found_and_a_page_in_parts_has_the_checksum_of_the_whole()
    {
        byte[] page = new byte[100];
        new Random(6).NextBytes(page);
        VersionedTag[] tags = [new(TagId.Of("a"), TagVersion.New(TimeProvider.System.GetUtcNow()))];
        byte[] whole = PageEnvelope.Wrap(tags, new ReadOnlySequence<byte>(page)).ToArray();
        Assert.True(PageEnvelope.IsIntact(whole));
        for (int bit = 0; bit < whole.Length * 8; bit++)
        {
            whole[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(PageEnvelope.IsIntact(whole));
            whole[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        for (int length = 0; length < whole.Length; length++)
        {
            Assert.False(PageEnvelope.IsIntact(whole.AsSpan(0, length)));
            uint parts = Checksum.Add(Checksum.Add(Checksum.Start, whole.AsSpan(0, length)), whole.AsSpan(length));
            Assert.Equal(Checksum.Add(Checksum.Start, whole), parts);
        }

        // Known from RFC 3720: the CRC-32C of 32 bytes that are 0.
        Assert.Equal(0x8A9136AAu, ~Checksum.Add(Checksum.Start, new byte[32]));
    }

    [MemcachedFact]
    public async Task A_page_with_too_many_tags_is_sent_and_not_cached_and_its_route_is_told_once()
    {
        int made = 0;
        string[] tags = [.. Enumerable.Range(0, 20_000).Select(static i => "tag" + i)];
        await using PageApp app = await PageApp.StartAsync(
            nodes.ConnectionString,
            web => web.MapGet("/many/{id}", () => ++made).CacheOutput(policy => policy.Tag(tags)),
            null,
            static services => services.AddMemcachedOutputCache(static options => options.MaximumTags = 5));
        for (int i = 1; i <= 3; i++)
        {
            Assert.Equal(i.ToString(System.Globalization.CultureInfo.InvariantCulture), await app.GetAsync("/many/1"));
        }

        Assert.Equal(1, app.Log.Entries.Count(static entry => entry.Id == 4004));
        Assert.Equal((0, 3), (app.Statistics.Stored, app.Statistics.TooManyTags));

        // What was there before under the key is gone; one with as many tags as may be is stored.
        await app.Store.SetAsync("key", [1], tags[..5], Minute, default);
        Assert.Equal([1], await app.Store.GetAsync("key", default));
        await app.Store.SetAsync("key", [2], tags[..6], Minute, default);
        Assert.Null(await app.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task A_page_in_the_cluster_with_more_tags_than_may_be_is_a_miss()
    {
        string space = PageApp.NewNamespace();
        await using PageApp many = await PageApp.StartAsync(
            nodes.ConnectionString,
            static _ => { },
            space,
            static services => services.AddMemcachedOutputCache(static options => options.MaximumTags = 1000));
        await using PageApp few = await PageApp.StartAsync(nodes.ConnectionString, static _ => { }, space);
        await many.Store.SetAsync("key", [1], [.. Enumerable.Range(0, 65).Select(static i => "tag" + i)], Minute, default);
        Assert.Equal([1], await many.Store.GetAsync("key", default));
        Assert.Null(await few.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task A_page_that_is_newer_than_what_was_read_of_its_tags_is_found()
    {
        await using PageApp app = await StartAsync();
        var versions = new TagVersions(app.Pages, TimeProvider.System);
        var tags = new PageTags(versions, TimeProvider.System, TimeSpan.FromSeconds(1), 64);
        var tag = TagId.Of("a");
        TagVersion before = (await versions.MakeAsync(tag, default)).Version;
        PageTags.Reading reading = tags.Begin(["a"], default);
        Assert.Equal(before, Assert.Single(await reading.FinishAsync(make: false)).Version);

        // Evicted by another instance, and stored again, after the version was read and before the page was.
        await versions.EvictAsync(tag);
        TagVersion after = (await versions.ReadAsync(tag, default))!.Value;
        Assert.True(await reading.MatchesAsync([(tag, after.Number)]));
        Assert.Equal(after, Assert.Single(await reading.FinishAsync(make: false)).Version);
        Assert.False(await reading.MatchesAsync([(tag, before.Number)]));
    }

    [MemcachedFact]
    public async Task A_version_that_was_made_at_a_time_that_cannot_be_is_none()
    {
        await using PageApp app = await StartAsync();
        var versions = new TagVersions(app.Pages, TimeProvider.System);
        var tag = TagId.Of("a");
        foreach (long time in (long[])[long.MinValue, -1, 221_845_392_000_001, long.MaxValue])
        {
            await app.Pages.SetAsync(tag.Key, new TagVersion(7, time).ToArray(), ForAMinute);
            Assert.Null(await versions.ReadAsync(tag, default));
            Assert.NotEqual((UInt128)7, (await versions.MakeAsync(tag, default)).Version.Number);
        }
    }

    private static byte[] Damage(byte[] stored, Random random, int kind)
    {
        byte[] damaged = [.. stored];
        int at = random.Next(stored.Length);
        switch (kind)
        {
            case 0:
                damaged[at] ^= (byte)(1 << random.Next(8));
                return damaged;
            case 1:
                return damaged[..at];
            case 2:
                return [.. damaged, (byte)random.Next(256)];
            case 3:
                random.NextBytes(damaged.AsSpan(at, Math.Min(40, stored.Length - at)));
                return damaged.AsSpan().SequenceEqual(stored) ? [] : damaged;
            default:
                damaged.AsSpan(at, Math.Min(40, stored.Length - at)).Clear();
                return damaged.AsSpan().SequenceEqual(stored) ? [] : damaged;
        }
    }

    private Task<PageApp> StartAsync() => PageApp.StartAsync(nodes.ConnectionString, static _ => { });
}
