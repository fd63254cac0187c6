using System.Buffers;
using System.Text.Json.Serialization;
using System.Text.Json;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>What is too large, too strange, or no value at all; and serializers of all origins.</summary>
public sealed class LimitTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    private readonly ThreeNodes _nodes = nodes;

    [MemcachedFact]
    public async Task A_value_over_every_limit_is_given_and_not_stored()
    {
        Instance[] pair = Make(2, static options => (options.Hybrid.MaximumPayloadBytes, options.Hybrid.MaximumLocalBytes) = (1000, 65_536));
        int runs = 0;
        foreach (
            (int size, HybridCacheEntryOptions? given) in (ReadOnlySpan<(int, HybridCacheEntryOptions?)>)
                [(70_000, null), (65_500, null), (1001, new() { Flags = HybridCacheEntryFlags.DisableLocalCacheWrite })])
        {
            runs = 0;
            for (int i = 1; i <= 2; i++)
            {
                Assert.Equal(size, pair[0].Get("large", _ => { runs++; return new ValueTask<byte[]>(new byte[size]); }, given).AsTask().WaitAsync(Eventually.Limit).GetAwaiter().GetResult().Length);
                Assert.Equal(i, runs);
            }
        }

        Assert.Equal(6, pair[0].Statistics.OversizeRejections);
        Assert.Equal(6, pair[0].Logger.Count("over the limit"));
        Assert.Equal(3, (await pair[1].Get("large", static _ => new ValueTask<byte[]>(new byte[3])).AsTask().WaitAsync(Eventually.Limit)).Length);
        Assert.Equal(0, pair[1].Statistics.LeasesWaitedFor);
        Assert.Equal(1000, (await pair[0].Get("fits", static _ => new ValueTask<byte[]>(new byte[1000]))).Length);
        Assert.Equal(1000, (await pair[1].Peek<byte[]>("fits")).Length);

        // One that is set takes the place of the older one, which must not stay.
        await pair[0].Cache.SetAsync("fits", new byte[70_000]);
        Assert.Null(await pair[0].Peek<byte[]>("fits"));
        Assert.Null(await pair[1].PeekCluster<byte[]>("fits"));
    }

    [MemcachedFact]
    public async Task A_key_that_cannot_be_used_is_made_each_time()
    {
        Instance one = Make(1)[0];
        int runs = 0;
        foreach (string? key in (string?[])["", " ", null, new string('k', 1025)])
        {
            for (int i = 0; i < 2; i++)
            {
                int before = runs;
                Assert.Equal(before + 1, await one.Get(key!, _ => new ValueTask<int>(++runs)));
            }

            await one.Cache.SetAsync(key!, 1);
            if (key is not null)
            {
                await one.Cache.RemoveAsync(key);
            }

            Assert.Equal(0, await one.Get(key!, static _ => new ValueTask<int>(5), new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData }));
        }

        await Assert.ThrowsAsync<ArgumentNullException>(async () => await one.Cache.RemoveAsync((string)null!));
        await Assert.ThrowsAsync<ArgumentNullException>(async () =>
            await one.Cache.GetOrCreateAsync("key", 1, (Func<int, CancellationToken, ValueTask<int>>)null!));
        Assert.True(one.Statistics.OversizeRejections > 8);
    }

    [MemcachedFact]
    public async Task Null_is_a_value_unless_the_option_says_otherwise()
    {
        int runs = 0;
        Instance with = Make(1)[0];
        Instance without = Make(1, static options => options.Hybrid.CacheNullValues = false)[0];
        foreach ((Instance instance, int expected) in (ReadOnlySpan<(Instance, int)>)[(with, 1), (without, 3)])
        {
            runs = 0;
            for (int i = 0; i < 3; i++)
            {
                Assert.Null(instance.Get<string?>("null", _ => { runs++; return new ValueTask<string?>((string?)null); }).AsTask().WaitAsync(Eventually.Limit).GetAwaiter().GetResult());
                Assert.Null(instance.Get<Mutable?>("null object", static _ => new ValueTask<Mutable?>((Mutable?)null)).AsTask().WaitAsync(Eventually.Limit).GetAwaiter().GetResult());
            }

            Assert.Equal(expected, runs);
        }

        await without.Cache.SetAsync("key", "x");
        await without.Cache.SetAsync<string?>("key", null);
        Assert.Equal("made", await without.Get("key", static _ => new ValueTask<string>("made")));
    }

    [MemcachedFact]
    public async Task Expirations_are_spread_by_the_jitter_and_by_no_more()
    {
        Instance one = Make(1, static options => options.Hybrid.ExpirationJitter = 0.05)[0];
        var spread = new List<double>();
        for (int i = 0; i < 200; i++)
        {
            await one.Cache.SetAsync("key" + i, i, new() { Expiration = TimeSpan.FromMinutes(10) });
            var copy = one.Cache.Parts.Local.Find("key" + i)!;
            spread.Add((copy.ExpiresAt - copy.CreatedAt) / 600_000d);
        }

        Assert.All(spread, static share => Assert.InRange(share, 0.95, 1.05));
        Assert.True(spread.Max() - spread.Min() > 0.05, "they are spread");
        await one.Cache.SetAsync("default", 1);
        var kept = one.Cache.Parts.Local.Find("default")!;
        Assert.InRange(kept.ExpiresAt - kept.CreatedAt, 285_000, 315_000);
    }

    [MemcachedFact]
    public async Task What_cannot_be_read_is_made_anew_and_replaced()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2, static options => options.Hybrid.LocalCacheRevalidation = TimeSpan.Zero);
        byte[] key = pair[0].Cache.Parts.Keys.Encode("key", Layout.HybridSpace.Entry);
        await pair[0].Cache.SetAsync("key", new Mutable { Number = 1 });
        byte[] whole = (await Wire.GetAsync(server, key))!;
        byte[] longer = [.. whole, 0];
        byte[] otherVersion = [.. whole];
        otherVersion[0] = 9;
        byte[] broken = [.. whole];
        broken[^1] = (byte)'!';
        int number = 1;
        foreach (byte[] spoiled in (byte[][])[whole[..^1], whole[..20], [], longer, otherVersion, broken, "foreign"u8.ToArray()])
        {
            await Wire.SetAsync(server, key, spoiled);
            int next = ++number;
            Mutable made = await pair[0].Get("key", _ => new ValueTask<Mutable>(new Mutable { Number = next })).AsTask().WaitAsync(Eventually.Limit);
            Assert.Equal(next, made.Number);
            Assert.Equal(next, (await pair[1].Get<Mutable>("key", static _ => throw new InvalidOperationException("replaced"))).Number);
        }

        await Wire.SetAsync(server, key, "flags"u8.ToArray(), flags: 77);
        Assert.Equal(100, (await pair[0].Get("key", static _ => new ValueTask<Mutable>(new Mutable { Number = 100 })).AsTask().WaitAsync(Eventually.Limit)).Number);
        Assert.True(pair[0].Statistics.DeserializationFailures >= 8);
        Assert.Equal(0, pair[0].Statistics.LeasesWaitedFor);

        // Another type under the same key is a miss of either.
        Assert.Equal("text", await pair[1].Get("key", static _ => new ValueTask<string>("text")));
        Assert.Equal("text", await pair[0].Get<string>("key", static _ => throw new InvalidOperationException("replaced")));
        Assert.Equal(5, await pair[0].Get("key", static _ => new ValueTask<int>(5)));
        Assert.Equal(5, await pair[1].Get("key", static _ => new ValueTask<int>(6)));
    }

    [MemcachedFact]
    public async Task A_serializer_that_cannot_write_or_read_is_never_the_callers_trouble()
    {
        await using Instance one = Instance.On(_nodes.Servers.Select(static s => s.Server), Instance.Space(), register: static services => services
            .AddSingleton<IHybridCacheSerializer<Unwritable>, Unwritable.Serializer>()
            .AddSingleton<IHybridCacheSerializer<Unreadable>, Unreadable.Serializer>());
        for (int i = 1; i <= 3; i++)
        {
            var value = new Unwritable();
            Assert.Same(value, await one.Get("unwritable", _ => new ValueTask<Unwritable>(value)).AsTask().WaitAsync(Eventually.Limit));
            Assert.Equal((2 * i) - 1, one.Statistics.SerializationFailures);
            var other = new Unreadable();
            Assert.Same(other, await one.Get("unreadable", _ => new ValueTask<Unreadable>(other)).AsTask().WaitAsync(Eventually.Limit));
        }

        await one.Cache.SetAsync("unwritable", new Unwritable());
        Assert.Equal((0, 7), (one.Statistics.DeserializationFailures, one.Statistics.SerializationFailures));
        Assert.Equal(6, one.Statistics.FactoryRuns);
    }

    [MemcachedFact]
    public async Task Serializers_are_found_where_microsofts_implementation_finds_them()
    {
        var json = new JsonSerializerOptions { TypeInfoResolver = OnlyPoint.Default };
        await using Instance one = Instance.On(_nodes.Servers.Select(static s => s.Server), Instance.Space(), register: services => services
            .AddSingleton<IHybridCacheSerializer<string>, Upper>()
            .AddSingleton<IHybridCacheSerializerFactory, Never>()
            .AddSingleton<IHybridCacheSerializerFactory, Dates>()
            .AddKeyedSingleton<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>), json));
        await one.Cache.SetAsync("text", "abc");
        Assert.Equal("ABC", await one.PeekCluster<string>("text"));
        await one.Cache.SetAsync("date", new DateOnly(2026, 11, 21));
        Assert.Equal(new DateOnly(2026, 11, 22), await one.PeekCluster<DateOnly>("date"));
        await one.Cache.SetAsync("point", new Point(1, 2));
        Assert.Equal(new Point(1, 2), await one.PeekCluster<Point>("point"));
        InvalidOperationException thrown = await Assert.ThrowsAsync<InvalidOperationException>(async () => await one.Cache.SetAsync("other", new Mutable()));
        Assert.Contains("IHybridCacheSerializer<Mutable>", thrown.Message, StringComparison.Ordinal);
    }

    internal sealed record Point(int X, int Y);

    private sealed class Unwritable
    {
        internal sealed class Serializer : IHybridCacheSerializer<Unwritable>
        {
            public Unwritable Deserialize(ReadOnlySequence<byte> source) => new();

            public void Serialize(Unwritable value, IBufferWriter<byte> target)
            {
                target.Write(new byte[100]);
                throw new FormatException("cannot write");
            }
        }
    }

    private sealed class Unreadable
    {
        internal sealed class Serializer : IHybridCacheSerializer<Unreadable>
        {
            public Unreadable Deserialize(ReadOnlySequence<byte> source) => throw new FormatException("cannot read");

            public void Serialize(Unreadable value, IBufferWriter<byte> target) => target.Write(new byte[10]);
        }
    }

    private sealed class Upper : IHybridCacheSerializer<string>
    {
        public string Deserialize(ReadOnlySequence<byte> source) => System.Text.Encoding.UTF8.GetString(source.ToArray());

        public void Serialize(string value, IBufferWriter<byte> target) => target.Write(System.Text.Encoding.UTF8.GetBytes(value.ToUpperInvariant()));
    }

    private sealed class Never : IHybridCacheSerializerFactory
    {
        public bool TryCreateSerializer<T>([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IHybridCacheSerializer<T>? serializer)
        {
            serializer = null;
            return false;
        }
    }

    /// <summary>Adds a day on the way in, to be told from others.</summary>
    private sealed class Dates : IHybridCacheSerializerFactory, IHybridCacheSerializer<DateOnly>
    {
        public bool TryCreateSerializer<T>([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IHybridCacheSerializer<T>? serializer)
        {
            serializer = this as IHybridCacheSerializer<T>;
            return serializer is not null;
        }

        public DateOnly Deserialize(ReadOnlySequence<byte> source) => DateOnly.FromDayNumber(BitConverter.ToInt32(source.ToArray()));

        public void Serialize(DateOnly value, IBufferWriter<byte> target) => target.Write(BitConverter.GetBytes(value.AddDays(1).DayNumber));
    }
}

[JsonSerializable(typeof(LimitTests.Point))]
internal sealed partial class OnlyPoint : JsonSerializerContext;
