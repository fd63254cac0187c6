using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Items of another program where a lease could be: nobody will ever end them, so nobody waits for them.</summary>
public sealed class PlaceholderTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    private readonly ThreeNodes _nodes = nodes;
    private Instance[] _pair = [];

    private MemcachedProcess Server => _nodes.Servers[0];

    /// <summary>Commands that leave something under a key; each is one request.</summary>
    public static TheoryData<string, string> Foreign => new()
    {
        { "mg", " N0 v" }, // a placeholder without an end
        { "mg", " N700 v" }, // longer than any lease
        { "mg", " N2592000 v" },
        { "ms", $" 0 T0 F{Lease.Flags}\r\n" }, // as a lease that was renewed
        { "ms", $" 0 T2592000 F{Lease.Flags}\r\n" },
        { "ms", " 0 T0 F0\r\n" },
        { "ms", " 5 T0 F0\r\nhello" },
        { "ms", $" 5 T0 F{Lease.Flags}\r\nhello" },
    };

    [MemcachedTheory(MetaOnly = "No classic command tells the time to live: see ClassicTests.")]
    [MemberData(nameof(Foreign))]
    public async Task What_is_nobodys_lease_is_replaced_at_once(string verb, string rest)
    {
        Begin();
        byte[] key = _pair[0].Cache.Parts.Keys.Encode("key", HybridSpace.Entry);
        await Wire.AskAsync(Server, verb, key, rest);
        Assert.Equal("value", await _pair[0].Get("key", static _ => new ValueTask<string>("value")).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal("value", await _pair[1].PeekCluster<string>("key"));
        Assert.Equal(0, _pair[0].Statistics.LeasesWaitedFor);

        // Many at once, of which one makes it.
        await Wire.DeleteAsync(Server, key);
        await _pair[0].Cache.RemoveAsync("key");
        await Wire.AskAsync(Server, verb, key, rest);
        int runs = 0;
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => _pair[i % 2].Get("key", async token =>
        {
            Interlocked.Increment(ref runs);
            await Task.Delay(100, token);
            return "again";
        }).AsTask())).WaitAsync(Eventually.Limit);
        Assert.Equal(1, runs);

        // And in a batch.
        await _pair[0].Cache.RemoveAsync("key");
        await Wire.AskAsync(Server, verb, key, rest);
        IReadOnlyDictionary<string, string> many = await _pair[0].Cache.GetOrCreateManyAsync<string>(
            ["key", "other"],
            static (keys, _) => new(keys.ToDictionary(static k => k, static k => "batch")),
            cancellationToken: new CancellationTokenSource(Eventually.Limit).Token);
        Assert.Equal(2, many.Count);
        Assert.Equal("batch", await _pair[1].PeekCluster<string>("key"));
    }

    [MemcachedTheory(MetaOnly = "No classic command tells the time to live: see ClassicTests.")]
    [MemberData(nameof(Foreign))]
    public async Task What_is_nobodys_lease_keeps_no_entry_from_being_refreshed(string verb, string rest)
    {
        Begin();
        var brief = new HybridCacheEntryOptions { Expiration = TimeSpan.FromMilliseconds(200) };
        await _pair[0].Get("key", static _ => new ValueTask<string>("old"), brief);
        await Eventually.True(
            () =>
                _pair[0].Cache.Parts.Local.Find("key") is not { } copy
                || copy.ExpiresAt < TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(),
            "the entry has expired");
        await Wire.AskAsync(Server, verb, _pair[0].Cache.Parts.Keys.Encode("key", HybridSpace.Lease), rest);
        Assert.Equal("new", await _pair[0].Get("key", static _ => new ValueTask<string>("new")).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal("new", await _pair[1].PeekCluster<string>("key"));
        Assert.Equal(0, _pair[0].Statistics.LeasesWaitedFor);
    }

    [MemcachedFact]
    public async Task An_entry_that_another_program_has_marked_as_being_made_is_read_as_ever()
    {
        Begin();
        await _pair[0].Cache.SetAsync("key", "value", new() { Expiration = TimeSpan.FromSeconds(100) });
        byte[] key = _pair[0].Cache.Parts.Keys.Encode("key", HybridSpace.Entry);
        Assert.Contains(" W", await Wire.AskAsync(Server, "mg", key, " R1000000 t"), StringComparison.Ordinal);
        Assert.Equal("value", await _pair[1].Get("key", static _ => new ValueTask<string>("another")).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal(0, _pair[1].Statistics.LeasesWaitedFor);
    }

    [MemcachedFact]
    public async Task The_longest_lease_that_the_options_allow_is_a_lease()
    {
        Instance[] pair = On([Server], 2, static options => options.Hybrid.LeaseTime = TimeSpan.FromMinutes(10));
        var go = new TaskCompletionSource();
        Task<int> first = pair[0].Get("key", async _ => { await go.Task; return 1; }).AsTask();
        await Eventually.True(() => pair[0].Statistics.LeasesWon == 1, "the lease is won");
        Task<int> second = pair[1].Get("key", static _ => new ValueTask<int>(2)).AsTask();
        await Eventually.True(() => pair[1].Statistics.LeasesWaitedFor == 1, "the other waits");
        go.SetResult();
        Assert.Equal((1, 1), (await first.WaitAsync(Eventually.Limit), await second.WaitAsync(Eventually.Limit)));
        var tooLong = new MemcachedCacheOptions { Servers = ["mc1"] };
        tooLong.Hybrid.LeaseTime = TimeSpan.FromSeconds(Lease.LongestSeconds + 1);
        Assert.Throws<Microsoft.Extensions.Options.OptionsValidationException>(() => new MemcachedCache(tooLong));
    }

    private void Begin() => _pair = On([Server], 2, static options => options.Hybrid.MaxStale = TimeSpan.FromMinutes(5));
}
