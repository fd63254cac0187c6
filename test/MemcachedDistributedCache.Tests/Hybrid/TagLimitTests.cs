using System.Buffers.Binary;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>How many tags an entry may have.</summary>
public sealed class TagLimitTests
{
    [Fact]
    public async Task Every_call_that_gives_tags_refuses_too_many_and_names_the_option()
    {
        await using ServiceProvider provider = new ServiceCollection()
            .AddMemcachedHybridCache(static options => (options.Servers, options.Hybrid.MaximumTags) = (["127.0.0.1:1"], 3))
            .BuildServiceProvider();
        MemcachedHybridCache cache = provider.GetRequiredService<MemcachedHybridCache>();
        string[] four = ["a", "b", "c", "d"];
        ArgumentException[] refusals =
        [
            await Assert.ThrowsAsync<ArgumentException>(async () => await cache.SetAsync("key", 1, tags: four)),
            await Assert.ThrowsAsync<ArgumentException>(async () =>
                await cache.GetOrCreateAsync("key", static _ => new ValueTask<int>(1), tags: four)),
            await Assert.ThrowsAsync<ArgumentException>(async () =>
                await cache.GetOrCreateWithSourceAsync("key", 0, static (_, _) => new ValueTask<int>(1), tags: four)),
            await Assert.ThrowsAsync<ArgumentException>(async () =>
                await cache.GetOrCreateManyAsync<int>(["key"], static (_, _) => throw new InvalidOperationException(), tags: four)),
        ];
        Assert.All(refusals, static refusal =>
        {
            Assert.Contains("can have 3 tags", refusal.Message, StringComparison.Ordinal);
            Assert.Contains("MemcachedHybridCacheOptions.MaximumTags", refusal.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Tags_count_once_and_no_more_are_looked_at_than_can_be_had()
    {
        string[] names = [.. Enumerable.Range(0, 64).Select(static i => "tag" + i)];
        Assert.Equal(names, TagList.Of(Enumerable.Range(0, 1000).SelectMany(_ => names), 64, "tags"));
        int looked = 0;
        Assert.Throws<ArgumentException>(() => TagList.Of(Endless(), 64, "tags"));
        Assert.Equal(65, looked);

        IEnumerable<string> Endless()
        {
            while (true)
            {
                yield return "tag" + looked++;
            }
        }
    }

    [Fact]
    public async Task An_entry_with_more_tags_than_may_be_is_made_anew_and_none_of_them_is_asked_for()
    {
        var model = new HybridModel(new ManualTimeProvider());
        using var rig = new HybridRig(model);
        byte[] head = new byte[40];
        (head[0], head[1]) = (1, (byte)PayloadKind.Null);
        long now = model.Time.GetUtcNow().ToUnixTimeMilliseconds();
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(2), now);
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(10), now + 100_000);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(18), 65);
        byte[] tags =
        [
            .. Enumerable
                .Range(10, 65)
                .SelectMany(static i => (byte[])[4, (byte)'#', (byte)'@', (byte)('0' + (i / 10)), (byte)('0' + (i % 10)), .. new byte[16]]),
        ];
        model.Store("#=key", [.. head, .. tags], EntryLayout.Flags, 1000, null, false, this);
        Assert.Equal("new", await rig.Get("key", "new"));
        Assert.Equal(0, rig.Parts.TagTable.Count);
        Assert.All(rig.Client.Calls, static call => Assert.Contains(call.Key, (string[])["#=key", "#@*"]));
    }

    [Fact]
    public async Task An_entry_with_as_many_as_may_be_is_read()
    {
        var model = new HybridModel(new ManualTimeProvider());
        using var rig = new HybridRig(model);
        using var other = new HybridRig(model);
        await rig.Set("key", "value", [.. Enumerable.Range(0, 64).Select(static i => "tag" + i)]);
        Assert.Equal("value", await other.Peek("key"));
    }
}
