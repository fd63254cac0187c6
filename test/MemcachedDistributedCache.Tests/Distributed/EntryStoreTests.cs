using System.Buffers;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Tests.Distributed;

public sealed class EntryStoreTests
{
    private static readonly OperationResult Down = OperationResult.Failed(
        new OperationFailure(MemcachedFailureReason.ConnectionLost, new NodeCounters("mc1:11211"), WasSent: true, new IOException("cut")));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    public async Task A_value_comes_back(int length)
    {
        var rig = new StoreRig();
        byte[] value = new byte[length];
        Random.Shared.NextBytes(value);
        foreach (
            DistributedCacheEntryOptions options in (DistributedCacheEntryOptions[])
                [new(), StoreRig.Absolute(60), StoreRig.Sliding(60), StoreRig.Sliding(60, 600)])
        {
            await rig.Set(options, value);
            Assert.Equal(value, await rig.Get());
            var writer = new ArrayBufferWriter<byte>();
            Assert.True(await rig.Store.TryGetAsync("key", writer, CallMode.Async, default));
            Assert.True(value.AsSpan().SequenceEqual(writer.WrittenSpan));
        }

        await rig.Remove();
        Assert.Null(await rig.Get());
        Assert.False(await rig.Store.TryGetAsync("key", new ArrayBufferWriter<byte>(), CallMode.Async, default));
    }

    [Fact]
    public async Task An_absolute_deadline_is_exact_to_the_millisecond()
    {
        var rig = new StoreRig();
        await rig.Set(StoreRig.Absolute(2.5));
        rig.Pass(2.499);
        Assert.NotNull(await rig.Get());
        rig.Pass(0.001);
        Assert.Null(await rig.Get());
    }

    [Fact]
    public async Task A_life_of_less_than_a_millisecond_is_still_a_life()
    {
        var rig = new StoreRig();
        await rig.Set(new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromTicks(5000) });
        Assert.NotNull(await rig.Get());
    }

    [Fact]
    public async Task What_is_past_removes()
    {
        var rig = new StoreRig();
        await rig.Set();
        await rig.Set(new() { AbsoluteExpiration = rig.Time.GetUtcNow().AddSeconds(-1) });
        Assert.Null(await rig.Get());
        Assert.Empty(rig.Client.Items);
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(0xC6000000u)]
    public async Task An_entry_of_others_is_a_miss_with_a_warning(uint flags)
    {
        var rig = new StoreRig();
        rig.Client.Items["key"] = (StoreRig.Value, flags, long.MaxValue / 2);
        Assert.Null(await rig.Get());
        Assert.Equal([2001], rig.Log.Ids);
    }

    [Fact]
    public async Task A_truncated_entry_is_a_miss_with_a_warning()
    {
        var rig = new StoreRig();
        rig.Client.Items["key"] = ([1, 2, 3], EntryFormat.ToFlags(hasDeadline: true, 0), 1000);
        Assert.Null(await rig.Get());
        Assert.False(await rig.Store.TryGetAsync("key", new ArrayBufferWriter<byte>(), CallMode.Async, default));
        Assert.Equal([2001], rig.Log.Ids);
    }

    [Fact]
    public async Task A_plain_item_of_any_client_is_readable()
    {
        var rig = new StoreRig();
        rig.Client.Items["key"] = (StoreRig.Value, 0, 1000);
        Assert.Equal(StoreRig.Value, await rig.Get());
    }

    [Fact]
    public async Task Oversize_throws_and_removes_the_older_value()
    {
        var rig = new StoreRig();
        rig.Client.ItemLimit = 10;
        await rig.Set();
        MemcachedValueTooLargeException thrown = await Assert.ThrowsAsync<MemcachedValueTooLargeException>(() => rig.Set(value: new byte[11]));
        Assert.Equal(("key", 11L, 10L), (thrown.Key, thrown.Size, thrown.Limit));
        Assert.Contains("The value has 11 bytes, and the limit is 10 bytes", thrown.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("'key'", thrown.Message, StringComparison.Ordinal);
        Assert.Empty(rig.Client.Items);
    }

    [Fact]
    public async Task Oversize_may_be_skipped_and_removes_the_older_value()
    {
        var rig = new StoreRig(oversize: MemcachedOversizeBehavior.Skip);
        rig.Client.ItemLimit = 10;
        await rig.Set();
        await rig.Set(value: new byte[11]);
        Assert.Empty(rig.Client.Items);
        Assert.Equal([2000], rig.Log.Ids);
    }

    [Fact]
    public async Task Out_of_memory_removes_the_older_value()
    {
        var rig = new StoreRig();
        await rig.Set();
        rig.Client.Before = static kind =>
            kind == OperationKind.Store
                ? OperationResult.Failed(
                    new OperationFailure(MemcachedFailureReason.ServerOutOfMemory, new NodeCounters("mc1:11211"), WasSent: true))
                : null;
        await rig.Set();
        Assert.Empty(rig.Client.Items);
    }

    [Fact]
    public async Task Degraded_everything_goes_on_without_the_cache()
    {
        var rig = new StoreRig();
        rig.Client.Before = _ => Down;
        await rig.Set();
        Assert.Null(await rig.Get());
        await rig.Refresh();
        await rig.Remove();
        Assert.Empty(rig.Log.Ids);
        Assert.Equal(3, rig.Log.Entries.Count(static e => e.Id == 2002));
    }

    [Fact]
    public async Task Throwing_says_what_failed_where_and_whether_it_was_sent()
    {
        var rig = new StoreRig(MemcachedFailureMode.Throw);
        rig.Client.Before = _ => Down;
        foreach ((string name, Func<Task> call) in new (string, Func<Task>)[] { ("Set", () => rig.Set()), ("Get", () => rig.Get()), ("Refresh", () => rig.Refresh()), ("Remove", () => rig.Remove()) })
        {
            MemcachedUnavailableException thrown = await Assert.ThrowsAsync<MemcachedUnavailableException>(call);
            Assert.Equal((name, "mc1:11211", MemcachedFailureReason.ConnectionLost, true), (thrown.Operation, thrown.Server, thrown.Reason, thrown.WasSent));
            Assert.IsType<IOException>(thrown.InnerException);
        }
    }

    [Fact]
    public async Task Expired_at_once_fails_as_set()
    {
        var rig = new StoreRig(MemcachedFailureMode.Throw);
        rig.Client.Before = _ => Down;
        MemcachedUnavailableException thrown = await Assert.ThrowsAsync<MemcachedUnavailableException>(() =>
            rig.Set(new() { AbsoluteExpiration = DateTimeOffset.UnixEpoch }));
        Assert.Equal("Set", thrown.Operation);
    }

    [Fact]
    public async Task A_cancelled_token_cancels_before_anything_is_sent()
    {
        var rig = new StoreRig();
        var cancelled = new CancellationToken(canceled: true);
        foreach (Func<Task> call in new Func<Task>[] { () => rig.Set(token: cancelled), () => rig.Get(cancelled), () => rig.Refresh(cancelled), () => rig.Remove(cancelled) })
        {
            OperationCanceledException thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(call);
            Assert.Equal(cancelled, thrown.CancellationToken);
        }

        Assert.Empty(rig.Client.Calls);
    }

    [Fact]
    public async Task A_cancelled_operation_throws()
    {
        var rig = new StoreRig();
        rig.Client.Before = static _ => OperationResult.Of(ResultStatus.Canceled);
        foreach (Func<Task> call in new Func<Task>[] { () => rig.Set(), () => rig.Get(), () => rig.Refresh(), () => rig.Remove() })
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(call);
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public async Task No_key_is_refused(string? key)
    {
        EntryStore store = new StoreRig().Store;
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await store.GetAsync(key!, CallMode.Async, default));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await store.SetAsync(key!, default, new(), CallMode.Async, default));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await store.RefreshAsync(key!, CallMode.Async, default));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await store.RemoveAsync(key!, CallMode.Async, default));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await store.TryGetAsync(key!, new ArrayBufferWriter<byte>(), CallMode.Async, default));
    }

    [Fact]
    public async Task A_disposed_cache_says_so()
    {
        var rig = new StoreRig();
        rig.Client.IsDisposed = true;
        foreach (Func<Task> call in new Func<Task>[] { () => rig.Set(), () => rig.Get(), () => rig.Refresh(), () => rig.Remove() })
        {
            ObjectDisposedException thrown = await Assert.ThrowsAsync<ObjectDisposedException>(call);
            Assert.Contains(nameof(MemcachedCache), thrown.ObjectName, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_synchronous_call_is_complete_when_it_returns()
    {
        EntryStore store = new StoreRig().Store;
        Assert.True(store.SetAsync("key", new(StoreRig.Value), StoreRig.Sliding(60), CallMode.Sync, default).IsCompletedSuccessfully);
        Assert.True(store.GetAsync("key", CallMode.Sync, default).IsCompletedSuccessfully);
        Assert.True(store.RefreshAsync("key", CallMode.Sync, default).IsCompletedSuccessfully);
        Assert.True(store.RemoveAsync("key", CallMode.Sync, default).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_writer_that_throws_costs_no_pooled_array()
    {
        var rig = new StoreRig();
        await rig.Set();
        for (int i = 0; i < 100; i++)
        {
            await Assert.ThrowsAsync<NotSupportedException>(async () => await rig.Store.TryGetAsync("key", new ThrowingWriter(), CallMode.Async, default));
        }
    }

    [Theory]
    [InlineData(true, 2.9, true)]
    [InlineData(true, 3.1, false)]
    [InlineData(false, 0, false)]
    public async Task A_write_that_may_have_overtaken_a_cancelled_one_is_uncertain(bool synchronous, double secondsLater, bool uncertain)
    {
        CallMode mode = synchronous ? CallMode.Sync : CallMode.Async;
        var rig = new StoreRig();
        rig.Client.Before = static _ => OperationResult.Of(ResultStatus.Canceled);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => rig.Set());
        Assert.Empty(rig.Client.Uncertain);
        rig.Client.Before = null;
        rig.Pass(secondsLater);
        await rig.Store.RemoveAsync("other", mode, default);
        Assert.Empty(rig.Client.Uncertain);
        await rig.Store.SetAsync("key", new ReadOnlySequence<byte>(new byte[] { 2 }), new(), mode, default);
        await rig.Store.RemoveAsync("key", mode, default);
        Assert.Equal(uncertain ? ["key", "key"] : [], rig.Client.Uncertain);
    }

    private sealed class ThrowingWriter : IBufferWriter<byte>
    {
        public void Advance(int count) => throw new NotSupportedException();

        public Memory<byte> GetMemory(int sizeHint = 0) => throw new NotSupportedException();

        public Span<byte> GetSpan(int sizeHint = 0) => throw new NotSupportedException();
    }
}
