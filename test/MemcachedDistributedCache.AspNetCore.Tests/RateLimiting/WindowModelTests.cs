using MemcachedDistributedCache.AspNetCore.RateLimiting;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.AspNetCore.Tests.RateLimiting;

/// <summary>
/// Several processes whose clocks are apart, on counters that take each single addition of each acquire in any order: no window ever has
/// more than the limit.
/// </summary>
public sealed class WindowModelTests
{
    private const int Steps = 20_000;
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(1, 5, 0)]
    [InlineData(4, 1, 0)]
    [InlineData(4, 1, 700)]
    [InlineData(4, 5, 700)]
    [InlineData(10, 3, 2500)]
    public void No_window_has_more_than_the_limit(int segments, int atATime, int skewMilliseconds)
    {
        for (int seed = 1; seed <= 5; seed++)
        {
            var run = new Run(seed, segments, atATime, skewMilliseconds);
            run.Go();
            Assert.True(run.MostInAWindow <= Run.Limit, $"seed {seed}: {run.MostInAWindow} in a window");
            Assert.True(run.Granted > 0, $"seed {seed}: nothing was granted");
        }
    }

    /// <summary>One permit at a time and one clock: what the limit allows is granted.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Nearly_all_of_the_limit_is_granted(int segments)
    {
        var run = new Run(7, segments, 1, 0) { MostPermits = 1 };
        run.Go();
        long windows = run.ElapsedSegments / segments;
        Assert.True(windows >= 5, $"only {windows} windows");
        Assert.InRange(run.Granted, (long)(0.9 * Run.Limit * (windows - 1)), Run.Limit * (windows + 2));
    }

    private sealed class Run(int seed, int segments, int atATime, int skewMilliseconds)
    {
        public const int Limit = 50;
        private const int Processes = 4;
        private const int MostPending = 150;
        private readonly Random _random = new(Seeds.Of(seed, segments));
        private readonly FakeCounters _counters = new();
        private readonly List<Action> _pending = [];
        private readonly Dictionary<long, int> _granted = [];
        private readonly RateLimiterSettings _settings = segments == 1
            ? Limiters.Fixed(Limit, TimeSpan.FromSeconds(1), options => options.PermitsAtATime = atATime)
            : Limiters.Sliding(Limit, segments, options => options.PermitsAtATime = atATime);

        private DateTimeOffset _now = Start;

        public int MostPermits { get; init; } = 7;

        public long Granted => _granted.Values.Sum();

        public long ElapsedSegments => (_now - Start).Ticks / _settings.Segment.Ticks;

        public int MostInAWindow
            => _granted.Keys.Max(last => Enumerable.Range(0, segments).Sum(back => _granted.GetValueOrDefault(last - back)));

        public void Go()
        {
            (WindowState State, TimeSpan Skew)[] processes =
            [
                .. Enumerable
                    .Range(0, Processes)
                    .Select(_ => (new WindowState(_settings), TimeSpan.FromMilliseconds(_random.Next(skewMilliseconds + 1)))),
            ];
            for (int step = 0; step < Steps; step++)
            {
                // Acquires gather at times, so that many are under way when a segment ends.
                if (_pending.Count == 0 || (_pending.Count < MostPending && _random.Next(100) < (step / 500 % 2 == 0 ? 20 : 45)))
                {
                    (WindowState state, TimeSpan skew) = processes[_random.Next(Processes)];
                    Acquire(state, skew, _random.Next(MostPermits) + 1, tries: 0);
                }
                else
                {
                    int next = _random.Next(_pending.Count);
                    Action action = _pending[next];
                    _pending.RemoveAt(next);
                    action();
                }

                _now += TimeSpan.FromMilliseconds(_random.Next(4));
            }
        }

        private void Acquire(WindowState state, TimeSpan skew, int permits, int tries)
        {
            if (state.Decide(permits, _now + skew, out WindowAsk ask) is { } decision)
            {
                Note(decision, ask, permits);
                return;
            }

            // Each addition is an action of its own; the last of them has the answer judged, at some time.
            ulong? count = null;
            var closed = new ulong?[ask.ToClose.Length];
            int missing = closed.Length + 1;
            void Answered()
            {
                if (--missing == 0)
                {
                    _pending.Add(() => Judge(state, skew, ask, new WindowAnswer(count, closed), tries));
                }
            }

            _pending.Add(() =>
            {
                count = _counters.Add(ask.Segment, (ulong)ask.Take);
                Answered();
            });
            for (int i = 0; i < closed.Length; i++)
            {
                int place = i;
                _pending.Add(() =>
                {
                    closed[place] = _counters.Add(ask.ToClose[place], WindowState.ClosedMark);
                    Answered();
                });
            }
        }

        private void Judge(WindowState state, TimeSpan skew, WindowAsk ask, WindowAnswer answer, int tries)
        {
            WindowDecision? decision = state.Judge(ask, answer, _now + skew, out int giveBack);
            if (giveBack > 0)
            {
                _pending.Add(() => _counters.GiveBack(ask.Segment, giveBack));
            }

            if (decision is { } made)
            {
                Note(made, ask, ask.Permits);
            }
            else if (tries < segments)
            {
                Acquire(state, skew, ask.Permits, tries + 1);
            }
        }

        private void Note(WindowDecision decision, WindowAsk ask, int permits)
        {
            if (decision.IsGranted)
            {
                _granted[ask.Segment] = _granted.GetValueOrDefault(ask.Segment) + permits;
            }
        }
    }
}
