using System.Diagnostics.Metrics;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>How long factories take, by a clock that the test moves.</summary>
public sealed class FactoryDurationTests : IMeterFactory
{
    private const string Name = "memcached.hybrid.factory.duration";

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly Meter _meter = new("test");
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly List<HybridRig> _rigs = [];
    private MetricCollector<double>? _collector;

    public Meter Create(MeterOptions options) => _meter;

    public void Dispose()
    {
        _rigs.ForEach(static rig => rig.Dispose());
        _collector?.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public async Task A_factory_is_timed_with_its_outcome_and_the_name_of_the_cache()
    {
        HybridRig rig = Listened();
        await rig.Get("key", _ => Take(rig, 1.5));
        await rig.Get("key", _ => Take(rig, 7)); // is there
        await Assert.ThrowsAsync<FormatException>(() => rig.Get("bad", async _ => throw new FormatException(await Take(rig, 0.25))));
        await Assert.ThrowsAsync<FormatException>(() => rig.Get("worse", _ => throw new FormatException(Take(rig, 0.5).Result)));
        Expect(
            "1.5 memcached.cache.name=name memcached.outcome=success",
            "0.25 memcached.cache.name=name memcached.outcome=error",
            "0.5 memcached.cache.name=name memcached.outcome=error");
        Assert.Equal((3, 2), (rig[HybridEvent.FactoryRun], rig[HybridEvent.FactoryFailed]));
    }

    [Fact]
    public async Task A_factory_that_nobody_wants_any_more_is_canceled_if_it_ends_for_that()
    {
        HybridRig rig = Listened(name: null);
        using var cancel = new CancellationTokenSource();
        var goes = new TaskCompletionSource<string>();
        Task<string> leaving = rig.Get("key", token => goes.Task.WaitAsync(token), cancel.Token);
        Task<string> heedless = rig.Get("other", _ => goes.Task, cancel.Token);
        await Eventually.True(() => rig[HybridEvent.FactoryRun] == 2, "both run");
        rig.Pass(2);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => heedless);
        await Eventually.True(() => Recorded().Length == 1, "the one that heeds its token has ended");
        rig.Pass(1);
        goes.SetResult("value");
        await Eventually.True(() => Recorded().Length == 2, "the other has ended");
        Expect("2 memcached.outcome=canceled", "3 memcached.outcome=success");
        Assert.Equal(0, rig[HybridEvent.FactoryFailed]);
    }

    [Fact]
    public async Task A_cancellation_of_the_factorys_own_is_an_error()
    {
        HybridRig rig = Listened(name: null);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => rig.Get("key", static _ => Task.FromException<string>(new TaskCanceledException())));
        Expect("0 memcached.outcome=error");
        Assert.Equal(1, rig[HybridEvent.FactoryFailed]);
    }

    [Fact]
    public async Task A_refresh_behind_its_callers_is_timed()
    {
        HybridRig rig = Listened(static s => s.StaleWindow = TimeSpan.FromMinutes(5), name: null);
        await rig.Get("key", "old");
        rig.Pass(301);
        var goes = new TaskCompletionSource<string>();
        Assert.Equal("old", await rig.Get("key", _ => goes.Task));
        await Eventually.True(() => rig[HybridEvent.FactoryRun] == 2, "the refresh runs");
        rig.Pass(2.5);
        goes.SetResult("new");
        await Eventually.True(() => Recorded().Length == 2, "the refresh is timed");
        Expect("0 memcached.outcome=success", "2.5 memcached.outcome=success");
    }

    [Fact]
    public async Task A_factory_that_outlasts_its_callers_patience_is_timed_to_its_end()
    {
        HybridRig rig = Listened(static s => (s.MaxStale, s.FactorySoftTimeout) = (TimeSpan.FromHours(1), TimeSpan.FromSeconds(1)), name: null);
        await rig.Get("key", "old");
        rig.Pass(301);
        var goes = new TaskCompletionSource<string>();
        Task<string> waiting = rig.Get("key", _ => goes.Task);
        await Eventually.True(() => rig[HybridEvent.FactoryRun] == 2, "the factory runs");

        // The timer behind which the caller is served may be set a moment after the factory has begun.
        double passed = 0;
        await Eventually.True(
            () =>
            {
                rig.Pass(1);
                passed++;
                return waiting.IsCompleted;
            },
            "the caller has the last value");
        Assert.Equal("old", await waiting);
        Assert.Single(Recorded());
        rig.Pass(4);
        goes.SetResult("new");
        await Eventually.True(() => Recorded().Length == 2, "the factory has ended");
        Expect("0 memcached.outcome=success", FormattableString.Invariant($"{passed + 4} memcached.outcome=success"));
    }

    [Fact]
    public async Task A_run_for_many_keys_is_one_measurement()
    {
        HybridRig rig = Listened(name: null);
        Assert.Equal(2, (await Many(rig, 3, ["a", "b", "left out"])).Count);
        Expect("3 memcached.outcome=success");
        await Assert.ThrowsAsync<FormatException>(async () => await Many(rig, 1, ["bad"]));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await Many(rig, 2, ["null"]));
        Assert.Equal(2, rig[HybridEvent.FactoryFailed]);
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Many(rig, 5, ["cancel"], cancel: cancel));
        Expect("3 memcached.outcome=success", "1 memcached.outcome=error", "2 memcached.outcome=error", "5 memcached.outcome=canceled");
        Assert.Equal((4, 2), (rig[HybridEvent.FactoryRun], rig[HybridEvent.FactoryFailed]));
    }

    [Fact]
    public async Task A_key_that_a_batch_asks_for_alone_and_that_has_no_value_is_no_error()
    {
        HybridRig rig = Listened(name: null);
        Assert.Empty(await Many(rig, 1, ["left out"], HybridCacheEntryFlags.DisableDistributedCache));
        Expect("1 memcached.outcome=success");
        Assert.Equal((1, 0), (rig[HybridEvent.FactoryRun], rig[HybridEvent.FactoryFailed]));
    }

    [Fact]
    public async Task A_factory_of_a_key_that_cannot_be_used_is_timed_and_counted()
    {
        HybridRig rig = Listened(name: null);
        CallOptions options = rig.Options();
        await rig.Parts.GetOrCreate.MakeAsync(
            null,
            options,
            ValueFactory.Of(rig, static (rig, _) => new ValueTask<string>(Take(rig, 4))),
            CancellationToken.None);
        await Assert.ThrowsAsync<FormatException>(async () =>
            await rig.Parts.GetOrCreate.MakeAsync(
                null,
                options,
                new ValueFactory<int, string>(0, static (_, _) => throw new FormatException()),
                CancellationToken.None));
        Expect("4 memcached.outcome=success", "0 memcached.outcome=error");
        Assert.Equal((2, 1), (rig[HybridEvent.FactoryRun], rig[HybridEvent.FactoryFailed]));
    }

    private static ValueFactory<Task<string>, string> OwnTask(Task<string> own) => new(own, static (own, _) => new ValueTask<string>(own));

    [Fact]
    public async Task Without_a_listener_the_clock_is_not_asked_and_the_factorys_own_task_is_given()
    {
        var runs = new FactoryRuns(new HybridCounters(), new CacheTelemetry(MetricHub.Of(this), null, new Untouchable()), new Untouchable());
        Task<string> own = Task.FromResult("value");
        Assert.Same(own, runs.RunAsync(OwnTask(own), context: null, CancellationToken.None).AsTask());
        Listen();
        await Assert.ThrowsAsync<NotSupportedException>(async () => await runs.RunAsync(OwnTask(own), context: null, CancellationToken.None));
        _collector!.Dispose();
        Assert.Same(own, runs.RunAsync(OwnTask(own), context: null, CancellationToken.None).AsTask());
    }

    [Fact]
    public async Task A_listener_that_throws_fails_no_call()
    {
        int heard = 0;
        HybridRig rig = Listened();
        using var throwing = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter == _meter)
                {
                    self.EnableMeasurementEvents(instrument);
                    _ = instrument.Name == "unheard" ? throw new FormatException() : 0;
                }
            },
        };
        throwing.SetMeasurementEventCallback<double>((_, _, _, _) => throw new FormatException((++heard).ToString()));
        throwing.Start();
        Assert.Equal("value", await rig.Get("key", "value"));
        Assert.Equal(1, heard);
        Assert.False(MetricHub.Of(this).Duration("unheard", "A histogram.", [1]).IsEnabled);
    }

    private static Task<string> Take(HybridRig rig, double seconds)
    {
        rig.Pass(seconds);
        return Task.FromResult("value");
    }

    private static async Task<IReadOnlyDictionary<string, string>> Many(
        HybridRig rig,
        double seconds,
        string[] keys,
        HybridCacheEntryFlags flags = HybridCacheEntryFlags.None,
        CancellationTokenSource? cancel = null)
    {
        CallOptions options = rig.Options(new() { Flags = flags });
        var batch = new Batch<string>(
            rig.Parts.Batches,
            rig.Parts.Context,
            options,
            [],
            async (wanted, token) =>
            {
                await Take(rig, seconds);
                await (cancel?.CancelAsync() ?? Task.CompletedTask);
                token.ThrowIfCancellationRequested();
                return wanted.Contains("bad") ? throw new FormatException()
                    : wanted.Contains("null") ? null!
                    : wanted.Where(static key => key.Length == 1).ToDictionary(static key => key);
            });
        return await batch.RunAsync(keys, cancel?.Token ?? CancellationToken.None).AsTask().WaitAsync(Bound);
    }

    private HybridRig Listened(Action<MemcachedHybridCacheOptions>? configure = null, string? name = "name")
    {
        var rig = new HybridRig(_model, configure, telemetry: new CacheTelemetry(MetricHub.Of(this), name, _model.Time));
        _rigs.Add(rig);
        Listen();
        return rig;
    }

    private void Listen() => _collector = new MetricCollector<double>(_meter, Name);

    private string[] Recorded()
    {
        Assert.Equal("s", _collector!.Instrument!.Unit);
        return
        [
            .. _collector.GetMeasurementSnapshot().Select(static one => FormattableString.Invariant(
                $"{one.Value} {string.Join(' ', one.Tags.Select(static tag => $"{tag.Key}={tag.Value}").Order(StringComparer.Ordinal))}")),
        ];
    }

    private void Expect(params string[] all) => Assert.Equal(all, Recorded());

    private sealed class Untouchable : TimeProvider
    {
        public override long GetTimestamp() => throw new NotSupportedException();
    }
}
