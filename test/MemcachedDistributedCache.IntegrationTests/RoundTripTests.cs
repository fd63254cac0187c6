using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

public sealed class RoundTripTests(ThreeNodes nodes) : IClassFixture<ThreeNodes>
{
    private static readonly DistributedCacheEntryOptions Default = new();
    private static readonly DistributedCacheEntryOptions Both = new()
    {
        SlidingExpiration = TimeSpan.FromMinutes(5),
        AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1),
    };

    public static TheoryData<int> Lengths
        => [0, 1, 2, 7, 8, 9, 100, 1023, 4095, 4096, 4097, 16 * 1024, (16 * 1024) - 300, 32 * 1024, (32 * 1024) + 1, 100_000, 500_000, 1024 * 1024];

    [MemcachedTheory]
    [MemberData(nameof(Lengths))]
    public async Task A_value_of_any_length_comes_back_through_every_interface(int length)
    {
        await using MemcachedCache cache = nodes.Cache();
        byte[] value = new byte[length];
        new Random(length).NextBytes(value);
        foreach (DistributedCacheEntryOptions options in (DistributedCacheEntryOptions[])[Default, Both])
        {
            await cache.SetAsync("async", value, options);
            cache.Set("sync", value, options);
            await cache.SetAsync("sequence", InPieces(value, 3), options);
            cache.Set("sync sequence", InPieces(value, 7), options);
            foreach (string key in (string[])["async", "sync", "sequence", "sync sequence"])
            {
                Assert.Equal(value, await cache.GetAsync(key));
                Assert.Equal(value, cache.Get(key));
                var writer = new ArrayBufferWriter<byte>();
                Assert.True(await cache.TryGetAsync(key, writer));
                Assert.Equal(value, writer.WrittenSpan.ToArray());
                var syncWriter = new ArrayBufferWriter<byte>();
                Assert.True(cache.TryGet(key, syncWriter));
                Assert.Equal(value, syncWriter.WrittenSpan.ToArray());
            }
        }
    }

    [MemcachedFact]
    public async Task Any_string_but_the_empty_one_is_a_key_and_no_two_meet()
    {
        await using MemcachedCache cache = nodes.Cache();
        string[] keys =
        [
            " ", "a", "a b", "a\r\nb", "a\r\nflush_all\r\n", "\0", "a\0b", "\t", "\u007f", "\u0080", "é", "😀", "😀😀", "\ud83d", "\ude00", "\ud83e", "#", "#a", "|", "a|b",
            "x\u001ey\u001fz", new string('k', 250), new string('k', 251), new string('k', 10_000), new string('k', 9_999) + "l",
            new string('é', 120), new string('é', 126), "\u200b", "a\u0301", "á", "K", "k",
        ];
        foreach (string key in keys)
        {
            await cache.SetAsync(key, Encoding.Unicode.GetBytes(key), Default);
        }

        foreach (string key in keys)
        {
            Assert.Equal(Encoding.Unicode.GetBytes(key), await cache.GetAsync(key));
        }

        foreach (string key in keys)
        {
            await cache.RemoveAsync(key);
            Assert.Null(await cache.GetAsync(key));
        }
    }

    [MemcachedFact]
    public async Task Null_and_empty_keys_are_refused()
    {
        await using MemcachedCache cache = nodes.Cache();
        await Assert.ThrowsAsync<ArgumentNullException>(() => cache.GetAsync(null!));
        await Assert.ThrowsAsync<ArgumentException>(() => cache.GetAsync(""));
        Assert.Throws<ArgumentException>(() => cache.Get(""));
        await Assert.ThrowsAsync<ArgumentException>(() => cache.SetAsync("", [], Default));
        await Assert.ThrowsAsync<ArgumentException>(() => cache.RemoveAsync(""));
        await Assert.ThrowsAsync<ArgumentException>(() => cache.RefreshAsync(""));
        await Assert.ThrowsAsync<ArgumentNullException>(() => cache.SetAsync("a", null!, Default));
        await Assert.ThrowsAsync<ArgumentNullException>(() => cache.SetAsync("a", [], null!));
        await Assert.ThrowsAsync<ArgumentNullException>(async () => await cache.TryGetAsync("a", null!));
    }

    [MemcachedFact]
    public async Task Namespaces_keep_caches_apart_and_processes_of_one_namespace_share()
    {
        await using MemcachedCache shop = nodes.Cache(options => options.Namespace = "shop");
        await using MemcachedCache shopToo = nodes.Cache(options => options.Namespace = "shop");
        await using MemcachedCache blog = nodes.Cache(options => options.Namespace = "blog");
        await using MemcachedCache none = nodes.Cache(options => options.Namespace = "");
        await shop.SetAsync("key", [1], Default);
        Assert.Equal(new byte[] { 1 }, await shopToo.GetAsync("key"));
        Assert.Null(await blog.GetAsync("key"));
        Assert.Null(await none.GetAsync("key"));
        Assert.Null(await none.GetAsync("shop|key"));
        await shopToo.RemoveAsync("key");
        Assert.Null(await shop.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task Keys_are_spread_over_all_nodes()
    {
        await using MemcachedCache cache = nodes.Cache();
        for (int i = 0; i < 300; i++)
        {
            await cache.GetAsync("key" + i);
        }

        Assert.All(cache.GetNodes(), node =>
        {
            Assert.Equal(MemcachedNodeState.Up, node.State);
            Assert.InRange(node.Misses, 60, 140);
            Assert.StartsWith("1.", node.ServerVersion, StringComparison.Ordinal);
        });
    }

    [MemcachedFact]
    public async Task An_entry_without_options_can_be_read_by_any_client()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint, options => options.Namespace = "");
        await cache.SetAsync("plain", "hello"u8.ToArray(), Default);
        Assert.Equal("VALUE plain 0 5\r\nhello\r\nEND\r\n", await server.CommandAsync("get plain", "END\r\n"));
    }

    [MemcachedFact]
    public async Task What_another_client_stored_with_flags_is_a_miss_and_can_be_replaced()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint, options => options.Namespace = "");

        // A type code of another client; our mark with a kind of a later version; our mark with a deadline that is cut off.
        foreach (uint flags in (uint[])[274, (0xC5u << 24) | (1 << 20), (0xC5u << 24) | (1 << 23)])
        {
            Assert.Equal("STORED\r\n", await server.CommandAsync($"set theirs {flags} 0 3\r\nabc"));
            Assert.Null(await cache.GetAsync("theirs"));
            await cache.SetAsync("theirs", [1], Both);
            Assert.Equal(new byte[] { 1 }, await cache.GetAsync("theirs"));
        }
    }

    [MemcachedFact]
    public async Task A_cancelled_token_cancels()
    {
        await using MemcachedCache cache = nodes.Cache();
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cache.GetAsync("a", cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cache.SetAsync("a", [], Default, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cache.RemoveAsync("a", cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cache.RefreshAsync("a", cancelled));
        Assert.Null(await cache.GetAsync("a"));
    }

    [MemcachedFact]
    public async Task Disposal_waits_for_what_is_under_way()
    {
        // Also for what waits for the first connection.
        for (int i = 0; i < 20; i++)
        {
            string name = "disposal" + Guid.NewGuid().ToString("N");
            MemcachedCache cache = nodes.Cache(options => options.Namespace = name);
            Task[] writes = [.. Enumerable.Range(0, 10).Select(key => cache.SetAsync("key" + key, [1], Default))];
            await cache.DisposeAsync();
            await Task.WhenAll(writes);
            await using MemcachedCache reader = nodes.Cache(options => options.Namespace = name);
            for (int key = 0; key < 10; key++)
            {
                Assert.Equal(new byte[] { 1 }, await reader.GetAsync("key" + key));
            }
        }
    }

    [MemcachedFact]
    public async Task A_disposed_cache_says_so()
    {
        MemcachedCache cache = nodes.Cache();
        await cache.SetAsync("a", [1], Default);
        await cache.DisposeAsync();
        await cache.DisposeAsync();
        cache.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => cache.GetAsync("a"));
        Assert.Throws<ObjectDisposedException>(() => cache.Remove("a"));
    }

    internal static ReadOnlySequence<byte> InPieces(byte[] value, int count)
    {
        if (value.Length < count)
        {
            return new ReadOnlySequence<byte>(value);
        }

        var first = new Piece(value.AsMemory(0, value.Length / count), null);
        Piece last = first;
        for (int i = 1; i < count; i++)
        {
            int start = value.Length / count * i;
            int end = i == count - 1 ? value.Length : start + (value.Length / count);
            last = new Piece(value.AsMemory(start, end - start), last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, Piece? before)
        {
            Memory = memory;
            if (before is not null)
            {
                RunningIndex = before.RunningIndex + before.Memory.Length;
                before.Next = this;
            }
        }
    }
}
