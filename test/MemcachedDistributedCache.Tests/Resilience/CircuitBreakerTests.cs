using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Tests.Resilience;

public sealed class CircuitBreakerTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void Opens_at_the_share_and_not_below()
    {
        CircuitBreaker breaker = Breaker();
        Assert.False(breaker.Report(answered: 1000, failed: 400));
        Assert.False(breaker.Report(answered: 1000, failed: 400));
        Assert.Equal(TimeSpan.Zero, breaker.UntilProbe);
        bool opened = false;
        for (int i = 0; i < 10 && !opened; i++)
        {
            opened = breaker.Report(answered: 10, failed: 1000);
        }

        Assert.True(opened, "nine of ten fail, and the circuit stays closed");
        Assert.InRange(breaker.UntilProbe, TimeSpan.FromMilliseconds(75), TimeSpan.FromMilliseconds(125));
        Assert.False(breaker.Report(answered: 0, failed: 1000), "it opened twice");
    }

    [Fact]
    public void A_few_failures_are_no_judgement()
    {
        CircuitBreaker breaker = Breaker();
        for (int i = 0; i < 19; i++)
        {
            Assert.False(breaker.Report(0, 1));
        }

        Assert.True(breaker.Report(0, 1), "the twentieth failure in a row opens it");
    }

    [Fact]
    public void Old_failures_are_forgotten()
    {
        CircuitBreaker breaker = Breaker();
        for (int i = 0; i < 200; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.False(breaker.Report(0, 2), $"ten failures in five seconds are fewer than twenty (second {i})");
        }
    }

    [Fact]
    public void Tripped_it_opens_whatever_was_reported()
    {
        CircuitBreaker breaker = Breaker();
        for (int i = 0; i < 100; i++)
        {
            breaker.Report(1000, 0);
        }

        breaker.Trip();
        Assert.NotEqual(TimeSpan.Zero, breaker.UntilProbe);
    }

    [Fact]
    public async Task A_probe_runs_when_it_is_due_and_closes_the_circuit()
    {
        CircuitBreaker breaker = Breaker();
        breaker.Trip();
        Assert.False(await breaker.ProbeAsync(static _ => throw new InvalidOperationException("not yet due"), CancellationToken.None));
        _time.Advance(breaker.UntilProbe + TimeSpan.FromMilliseconds(1));
        Assert.True(await breaker.ProbeAsync(static _ => ValueTask.FromResult(true), CancellationToken.None));
        Assert.Equal(TimeSpan.Zero, breaker.UntilProbe);
        Assert.False(breaker.Report(10, 0));
    }

    [Fact]
    public async Task Pauses_grow_to_the_longest_and_stay_there()
    {
        CircuitBreaker breaker = Breaker();
        breaker.Trip();
        var pauses = new List<double>();
        for (int i = 0; i < 2000; i++)
        {
            pauses.Add(breaker.UntilProbe.TotalSeconds);
            _time.Advance(breaker.UntilProbe + TimeSpan.FromMilliseconds(1));
            int probes = 0;
            Assert.False(await breaker.ProbeAsync(_ => ValueTask.FromResult(++probes < 0), CancellationToken.None));
            Assert.Equal(1, probes);
        }

        Assert.All(pauses, static pause => Assert.InRange(pause, 0.05, 2));
        Assert.InRange(pauses[0], 0.07, 0.13);
        Assert.InRange(pauses[1], 0.14, 0.26);
        Assert.All(pauses[10..], static pause => Assert.InRange(pause, 1.4, 2));
    }

    [Fact]
    public async Task Pauses_start_anew_after_a_good_while_only()
    {
        CircuitBreaker breaker = Breaker();
        for (int i = 0; i < 8; i++)
        {
            // It comes up and goes down at once: not well.
            breaker.Trip();
            _time.Advance(breaker.UntilProbe + TimeSpan.FromMilliseconds(1));
            Assert.True(await breaker.ProbeAsync(static _ => ValueTask.FromResult(true), CancellationToken.None));
        }

        breaker.Trip();
        Assert.InRange(breaker.UntilProbe.TotalSeconds, 1.4, 2);
        _time.Advance(breaker.UntilProbe + TimeSpan.FromMilliseconds(1));
        Assert.True(await breaker.ProbeAsync(static _ => ValueTask.FromResult(true), CancellationToken.None));
        _time.Advance(TimeSpan.FromSeconds(3));
        breaker.Trip();
        Assert.InRange(breaker.UntilProbe.TotalSeconds, 0.07, 0.13);
    }

    [Fact]
    public async Task A_machine_clock_that_is_set_back_keeps_nobody_out()
    {
        var clock = new SettableTime(_time);
        CircuitBreaker breaker = Breaker(clock);
        breaker.Trip();
        clock.Offset = TimeSpan.FromHours(-1);
        _time.Advance(TimeSpan.FromMilliseconds(200));
        Assert.True(await breaker.ProbeAsync(static _ => ValueTask.FromResult(true), CancellationToken.None), "the probe is an hour away");
    }

    [Theory]
    [InlineData(16)]
    [InlineData(5000)]
    [InlineData(1_000_000)]
    public void A_great_throughput_is_reached(int minimum)
    {
        CircuitBreaker breaker = Breaker(minimum: minimum);
        long reported = 0;
        bool opened = false;
        for (int i = 0; i < 200 && !opened; i++) // five seconds of scans
        {
            _time.Advance(TimeSpan.FromMilliseconds(24));
            opened = breaker.Report(0, 50_000);
            reported += 50_000;
        }

        Assert.True(opened, $"{reported} requests without an answer are no {minimum}");
        Assert.True(reported >= minimum, $"it opened after {reported} of {minimum}");
    }

    [Fact]
    public void A_great_throughput_is_not_reached_by_small_reports()
    {
        CircuitBreaker breaker = Breaker(minimum: 5000);
        for (int i = 0; i < 200; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(24));
            Assert.False(breaker.Report(0, 24), $"{24 * (i + 1)} requests of 5000");
        }
    }

    [Fact]
    public void Tripping_costs_the_same_whatever_the_throughput()
    {
        CircuitBreaker breaker = Breaker(minimum: 1_000_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        long started = TimeProvider.System.GetTimestamp();
        breaker.Trip();
        Assert.NotEqual(TimeSpan.Zero, breaker.UntilProbe);
        Assert.True(
            GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000,
            $"{GC.GetAllocatedBytesForCurrentThread() - before} bytes in {TimeProvider.System.GetElapsedTime(started).TotalMilliseconds} ms");
    }

    [Fact]
    public void Few_failures_among_many_requests_are_few()
    {
        CircuitBreaker breaker = Breaker(ratio: 0.05);
        for (int i = 0; i < 2000; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(25));
            Assert.False(breaker.Report(999, 1), "one of a thousand is less than one of twenty");
        }

        bool opened = false;
        for (int i = 0; i < 400 && !opened; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(25));
            opened = breaker.Report(900, 100);
        }

        Assert.True(opened, "one of ten is more than one of twenty");
    }

    private CircuitBreaker Breaker(TimeProvider? time = null, int minimum = 20, double ratio = 0.5) => new(
        new BreakerSettings
        {
            FailureRatio = ratio,
            MinimumThroughput = minimum,
            SamplingDuration = TimeSpan.FromSeconds(5),
            Delay = TimeSpan.FromMilliseconds(100),
            MaximumDelay = TimeSpan.FromSeconds(2),
        },
        time ?? _time);

    /// <summary>A machine whose time of day is set by hand while its timers go on.</summary>
    private sealed class SettableTime(ManualTimeProvider inner) : TimeProvider
    {
        public TimeSpan Offset { get; set; }

        public override long TimestampFrequency => inner.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => inner.GetUtcNow() + Offset;

        public override long GetTimestamp() => inner.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
            => inner.CreateTimer(callback, state, dueTime, period);
    }
}
