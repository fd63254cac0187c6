using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>Leases by a clock that the test moves.</summary>
public sealed class LeaseTests : IDisposable
{
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly HybridRig _one;
    private readonly HybridRig _other;

    public LeaseTests()
    {
        _one = new HybridRig(_model);
        _other = new HybridRig(_model);
    }

    public void Dispose()
    {
        _one.Dispose();
        _other.Dispose();
    }

    [Fact]
    public async Task A_factory_of_ten_minutes_keeps_its_lease()
    {
        var go = new TaskCompletionSource<string>();
        Task<string> first = _one.Get("key", _ => go.Task);
        await Eventually.True(() => _one[HybridEvent.FactoryRun] == 1, "the factory runs");
        for (int i = 0; i < 222; i++)
        {
            // A step for each renewal, which has to come before the next: nobody holds the clock for it.
            int renewed = _one.Client.Count("cas", "#=key");
            _one.Pass(2.7);
            await Eventually.True(() => _one.Client.Count("cas", "#=key") > renewed, "the lease is renewed");
            Assert.Equal(LeaseState.None, _model.Lease("#=key", 10, new object()).Lease);
        }

        go.SetResult("value");
        Assert.Equal("value", await first);
        Assert.Equal("value", await _other.Peek("key"));
        Assert.Equal(0, _one[HybridEvent.LeaseLost]);
    }

    [Fact]
    public async Task A_holder_that_stands_still_loses_its_lease_and_stores_nothing()
    {
        var go = new TaskCompletionSource<string>();
        Task<string> first = _one.Get("key", _ => go.Task);
        await Eventually.True(() => _one[HybridEvent.FactoryRun] == 1, "the factory runs");

        // Its renewals do not come through, without its knowing.
        var never = new TaskCompletionSource();
        _one.Client.Hold = (verb, _) => verb == "cas" ? never.Task : Task.CompletedTask;
        _one.Pass(11);
        Assert.Equal("theirs", await _other.Get("key", "theirs"));
        never.SetResult();
        go.SetResult("mine");
        Assert.Equal("mine", await first);
        Assert.Equal("theirs", await _one.Peek("key"));
        Assert.Equal("theirs", await _other.Peek("key"));
        Assert.Equal(1, _one[HybridEvent.LeaseLost]);
    }

    [Fact]
    public async Task A_state_from_another_connection_is_worth_nothing()
    {
        var go = new TaskCompletionSource<string>();
        Task<string> first = _one.Get("key", _ => go.Task);
        await Eventually.True(() => _one[HybridEvent.FactoryRun] == 1, "the factory runs");
        _one.Client.Origin = new object();
        go.SetResult("mine");
        Assert.Equal("mine", await first);
        Assert.Equal(1, _one[HybridEvent.LeaseLost]);
        Assert.Null(await _other.Peek("key"));
        Assert.Null(await _one.Peek("key"));
    }

    [Fact]
    public async Task A_lease_that_was_lost_is_forgotten_when_its_factory_has_ended()
    {
        for (int round = 0; round < 5; round++)
        {
            var go = new TaskCompletionSource<string>();
            string key = "key" + round;
            Task<string> first = _one.Get(key, _ => go.Task);
            await Eventually.True(() => _one[HybridEvent.FactoryRun] == round + 1, "the factory runs");
            _model.Delete("#=" + key, null);
            int renewed = _one.Client.Count("cas");
            _one.Pass(2.7);
            await Eventually.True(() => _one.Client.Count("cas") > renewed && _one.Client.Count("discard") > round, "the renewal is refused");
            go.SetResult("value");
            Assert.Equal("value", await first);
        }

        Assert.Equal(0, _one.Parts.Remote.Leases.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_lease_of_a_store_that_was_refused_unsent_is_given_back(bool atRenewal)
    {
        var go = new TaskCompletionSource<string>();
        Task<string> first = _one.Get("key", _ => go.Task);
        await Eventually.True(() => _one[HybridEvent.FactoryRun] == 1, "the factory runs");
        _one.Client.Before = static (verb, key) => verb == "cas" && key == "#=key" ? OperationResult.Of(ResultStatus.Conflict) : null;
        if (atRenewal)
        {
            _one.Pass(2.7);
            await Eventually.True(() => _one.Client.Count("discard", "#=key") == 1, "it is given back");
        }
        else
        {
            go.SetResult("mine");
            Assert.Equal("mine", await first);
        }

        Assert.Equal("theirs", await _other.Get("key", "theirs").WaitAsync(Eventually.Limit));
        Assert.Equal(0, _other[HybridEvent.LeaseWaited]);
        go.TrySetResult("mine");
        Assert.Equal("mine", await first);
        Assert.Equal(1, _one[HybridEvent.LeaseLost]);
        _one.Client.Before = null;
        Assert.Equal("theirs", await _one.Peek("key"));
    }

    [Fact]
    public async Task A_forced_refresh_removes_what_may_not_be_built_on()
    {
        await _one.Set("key", "excluded");
        bool isExcluded = true;
        _one.Client.Before = (verb, key) =>
        {
            if (verb == "discard" && key == "#=key")
            {
                isExcluded = false;
            }

            return isExcluded && verb == "lease" && key == "#=key" ? _model.Get(key, _one.Client.Origin) with { IsUnreadable = true }
                : isExcluded && verb == "cas" && key == "#=key" ? OperationResult.Of(ResultStatus.Conflict) : null;
        };
        var force = new Microsoft.Extensions.Caching.Hybrid.HybridCacheEntryOptions { Flags = Microsoft.Extensions.Caching.Hybrid.HybridCacheEntryFlags.DisableLocalCacheRead | Microsoft.Extensions.Caching.Hybrid.HybridCacheEntryFlags.DisableDistributedCacheRead };
        (string value, _) = await _one.Parts.GetOrCreate.GetAsync(GetOrCreateRequest.Of("key", _one.Options(force), [], ValueFactory.Of(0, static (_, _) => new ValueTask<string>("new"))), CancellationToken.None);
        Assert.Equal("new", value);
        Assert.Equal("new", await _other.Peek("key"));
    }

    [Fact]
    public async Task A_copy_from_another_connection_is_read_anew()
    {
        await _one.Get("key", "value");
        _one.Client.Origin = new object();
        _one.Pass(2);
        Assert.Equal("value", await _one.Get("key", "never"));
        Assert.Equal(1, _one[HybridEvent.RemoteHit]);
        _one.Pass(2);
        Assert.Equal("value", await _one.Get("key", "never"));
        Assert.Equal((1, 2), (_one[HybridEvent.RemoteHit], _one[HybridEvent.Revalidated]));
    }

    [Fact]
    public async Task A_store_without_an_answer_keeps_nothing_here()
    {
        _one.Client.Before = static (verb, key) => verb == "cas" && key == "#=key" ? OperationResult.Failed(new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1"), WasSent: true)) : null;
        Assert.Equal("value", await _one.Get("key", "value"));
        Assert.Equal(0, _one.Parts.Local.Count);
        _one.Client.Before = null;
        Assert.Equal("other", await _other.Get("key", "other"));
    }

    [Fact]
    public async Task What_was_read_before_a_removal_is_not_kept_after_it()
    {
        await _other.Set("key", "old");
        await _one.Peek("warm");
        var read = new TaskCompletionSource();
        _one.Client.Hold = (verb, key) => verb == "lease" && key == "#=key" ? read.Task : Task.CompletedTask;

        // The answer is given before the removal and arrives after it: the model acts when the wait is over, so it is put back by hand.
        OperationResult old = _model.Get("#=key", _one.Client.Origin);
        _one.Client.Before = (verb, key) => verb == "lease" && key == "#=key" ? old : null;
        Task<string> reading = _one.Get("key", "never");
        await _one.Parts.Changes.RemoveAsync("key");
        read.SetResult();
        Assert.Equal("old", await reading);
        _one.Client.Before = null;
        _one.Client.Hold = null;
        Assert.Null(await _one.Peek("key"));
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public async Task What_was_read_during_a_set_is_not_kept_after_it(bool fails, bool isKeptHere)
    {
        await _other.Set("key", "old");
        await _one.Peek("warm");
        var store = new TaskCompletionSource();
        var read = new TaskCompletionSource();
        OperationResult old = _model.Get("#=key", _one.Client.Origin);
        _one.Client.Hold = (verb, key) => (verb, key) switch
        {
            ("set", "#=key") => store.Task,
            ("lease", "#=key") => read.Task,
            _ => Task.CompletedTask,
        };

        // As in the test before: the read is answered before the store happens, and its answer arrives after it.
        OperationResult lost = OperationResult.Failed(new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1"), WasSent: true));
        _one.Client.Before = (verb, key) => verb == "lease" && key == "#=key" ? old : fails && verb == "set" ? lost : null;
        var own = new Microsoft.Extensions.Caching.Hybrid.HybridCacheEntryOptions { Flags = isKeptHere ? null : Microsoft.Extensions.Caching.Hybrid.HybridCacheEntryFlags.DisableLocalCacheWrite };
        Task setting = _one.Parts.Changes.SetAsync("key", "new", _one.Options(own), []);
        await Eventually.True(() => _one.Client.Count("set", "#=key") == 1, "the store is under way");
        Task<string> reading = _one.Get("key", "never");
        store.SetResult();
        await setting;
        read.SetResult();
        Assert.Equal("old", await reading);
        _one.Client.Before = null;
        _one.Client.Hold = null;
        Assert.Equal("new", await _one.Peek("key"));
    }

    [Fact]
    public async Task A_set_that_a_removal_overtakes_puts_no_copy_in_place()
    {
        await _one.Peek("warm");
        var store = new TaskCompletionSource();
        _one.Client.Hold = (verb, key) => verb == "set" && key == "#=key" ? store.Task : Task.CompletedTask;
        OperationResult stored = _model.Store("#=key", "x"u8.ToArray(), 0, 100, null, false, _one.Client.Origin);
        _one.Client.Before = (verb, key) => verb == "set" && key == "#=key" ? stored : null;
        Task setting = _one.Set("key", "set");
        await _one.Parts.Changes.RemoveAsync("key");
        store.SetResult();
        await setting;
        Assert.Equal(0, _one.Parts.Local.Count);
        Assert.Null(await _one.Peek("key"));
    }

    [Fact]
    public async Task A_value_that_was_removed_elsewhere_during_a_factory_that_fails_serves_for_nobody_who_comes_after()
    {
        using var one = new HybridRig(_model, static s => s.MaxStale = TimeSpan.FromHours(1));
        using var other = new HybridRig(_model, static s => s.MaxStale = TimeSpan.FromHours(1));
        await other.Set("key", "old");
        one.Pass(301);
        var go = new TaskCompletionSource<string>();
        Task<string> failing = one.Get("key", _ => go.Task);
        await Eventually.True(() => one[HybridEvent.FactoryRun] == 1, "the factory runs");
        await other.Parts.Changes.RemoveAsync("key");
        go.SetException(new FormatException());
        Assert.Equal("old", await failing);
        await Assert.ThrowsAsync<FormatException>(() => one.Get("key", static _ => throw new FormatException()));
    }

    [Fact]
    public async Task An_expired_entry_is_made_once_though_the_server_drops_it_meanwhile()
    {
        await _other.Set("key", "old");

        // Past its expiration, within the seconds that the server keeps it all the same.
        _one.Pass(300.5);
        var go = new TaskCompletionSource<string>();
        Task<string> first = _one.Get("key", _ => go.Task);
        await Eventually.True(() => _one[HybridEvent.FactoryRun] == 1, "the factory runs");
        _one.Pass(2.5);
        Task<string> second = _other.Get("key", "theirs");
        await Eventually.True(() => _other[HybridEvent.LeaseWaited] + _other[HybridEvent.FactoryRun] == 1, "the other waits, or makes it too");
        await EndAsync(go, first, second);
    }

    [Theory]
    [InlineData(10, 0, 309, 3)]
    [InlineData(10, 0, 309, 55)]
    [InlineData(0, 10, 309, 3)]
    [InlineData(0, 10, 309, 55)]
    public async Task A_refresh_that_outlasts_its_window_is_waited_for(int window, int stale, double begin, double goOn)
    {
        using var one = new HybridRig(_model, Configure);
        using var other = new HybridRig(_model, Configure);
        await one.Set("key", "old");
        one.Pass(begin);
        var go = new TaskCompletionSource<string>();
        Task<string> first = one.Get("key", _ => go.Task);
        await Eventually.True(() => one[HybridEvent.FactoryRun] == 1, "the factory runs");
        for (double passed = 0; passed < goOn; passed += 2.7)
        {
            int renewed = one.Client.Count("cas", "#!key");
            one.Pass(2.7);
            await Eventually.True(() => one.Client.Count("cas", "#!key") > renewed, "the lease is renewed");
        }

        Task<string> second = other.Get("key", "theirs");
        await Eventually.True(() => other[HybridEvent.LeaseWaited] + other[HybridEvent.FactoryRun] == 1, "the other waits, or makes it too");
        go.SetResult("new");
        await Eventually.True(
            () =>
            {
                one.Pass(0.3);
                return second.IsCompleted;
            },
            "the other has it");
        Assert.Equal(window > 0 ? "old" : "new", await first);
        Assert.Equal("new", await second);
        Assert.Equal((1, 0), (one[HybridEvent.FactoryRun], other[HybridEvent.FactoryRun]));

        void Configure(MemcachedHybridCacheOptions s) => (s.StaleWindow, s.MaxStale) = (TimeSpan.FromSeconds(window), TimeSpan.FromSeconds(stale));
    }

    [Fact]
    public async Task What_is_found_past_its_window_is_replaced_by_one_of_all_who_meet_it()
    {
        using var one = new HybridRig(_model, static s => s.StaleWindow = TimeSpan.FromSeconds(10));
        using var other = new HybridRig(_model, static s => s.StaleWindow = TimeSpan.FromSeconds(10));
        await one.Set("key", "old");
        one.Pass(371);
        var go = new TaskCompletionSource<string>();
        Task<string> first = one.Get("key", _ => go.Task);
        await Eventually.True(() => one[HybridEvent.FactoryRun] == 1, "the factory runs");
        one.Pass(2);
        Task<string> second = other.Get("key", "theirs");
        await Eventually.True(() => other[HybridEvent.LeaseWaited] + other[HybridEvent.FactoryRun] == 1, "the other waits, or makes it too");
        await EndAsync(go, first, second);
        Assert.Equal((1, 0), (one[HybridEvent.FactoryRun], other[HybridEvent.FactoryRun]));
    }

    private async Task EndAsync(TaskCompletionSource<string> go, Task<string> first, Task<string> second)
    {
        go.SetResult("new");
        await Eventually.True(
            () =>
            {
                _one.Pass(0.3);
                return first.IsCompleted && second.IsCompleted;
            },
            "both have it");
        Assert.Equal(("new", "new"), (await first, await second));
        Assert.Equal(0, _other[HybridEvent.FactoryRun]);
    }

    [Fact]
    public async Task An_entry_that_lives_here_only_lives_as_long_as_it_was_given()
    {
        var own = new Microsoft.Extensions.Caching.Hybrid.HybridCacheEntryOptions { Expiration = TimeSpan.FromMilliseconds(500), Flags = Microsoft.Extensions.Caching.Hybrid.HybridCacheEntryFlags.DisableDistributedCache };
        for (int i = 0; i < 20; i++)
        {
            // Wherever in the second it begins that the memory below counts.
            _one.Pass(0.17);
            string key = "key" + i;
            await _one.Parts.Changes.SetAsync(key, "value", _one.Options(own), []);
            _one.Pass(0.49);
            Assert.Equal("value", await _one.Peek(key));
            _one.Pass(0.02);
            Assert.Null(await _one.Peek(key));
        }
    }

    [Fact]
    public async Task An_entry_that_cannot_be_used_is_replaced_by_one_of_all_who_meet_it()
    {
        await _other.Set("key", "old", "t");
        await _one.Parts.Tags.InvalidateAsync("t");
        _other.Pass(2);
        var go = new TaskCompletionSource<string>();
        Task<string> first = _one.Get("key", _ => go.Task);
        Task<string> second = _other.Get("key", _ => go.Task);
        await Eventually.True(() => _one[HybridEvent.FactoryRun] + _other[HybridEvent.FactoryRun] == 1 && _one[HybridEvent.LeaseWaited] + _other[HybridEvent.LeaseWaited] == 1, "one makes it and one waits");
        go.SetResult("new");
        await Eventually.True(
            () =>
            {
                _one.Pass(0.3);
                return first.IsCompleted && second.IsCompleted;
            },
            "both have it");
        Assert.Equal(("new", "new"), (await first, await second));
        Assert.Equal(1, _one[HybridEvent.FactoryRun] + _other[HybridEvent.FactoryRun]);
    }
}
