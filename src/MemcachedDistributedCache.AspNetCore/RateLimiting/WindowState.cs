namespace MemcachedDistributedCache.AspNetCore.RateLimiting;

/// <summary>
/// What one process knows of one partition's permits, and its judgement of what the counters tell. Thread-safe; asks nobody itself.
/// <para>
/// Time is cut into segments, and a window is as many segments in a row as the settings say; a fixed window is one. Each segment has a
/// counter. An acquire adds to the counter of its segment, and has its permits if the sum, with what the earlier segments of its window
/// have, is within the limit. Before that it <em>closes</em> these segments: a mark is added to their counters, and what the counters have
/// below the mark is taken for granted there. Whoever then still adds to a closed segment sees the mark, and is granted nothing there.
/// </para>
/// <para>
/// So no window has more than the limit: of all grants in it look at those in its last segment that has any, and among these at the one
/// with the highest count. This count has all of that segment; what was told at the closing has all of the earlier ones, since nothing was
/// granted there later. The sum was within the limit. That rests neither on the order in which requests arrive nor on clocks that agree.
/// Reading the other segments' counters instead would not do: an addition that comes late to an earlier segment, and one to the present
/// segment that has read before, do not see each other.
/// </para>
/// <para>
/// Of what was added and is beyond the limit, a sliding window gives back: later windows count it otherwise. A fixed window need not.
/// What was added within the limit and not wanted after all is the process's own stock until the segment's end. That is why a count at the
/// limit means that nothing is left, and nobody has to ask again in this segment.
/// </para>
/// </summary>
internal sealed class WindowState(RateLimiterSettings settings)
{
    /// <summary>What closing adds: more than permits are ever added to a counter, and there is room for 4 million closings.</summary>
    public const ulong ClosedMark = 1UL << 42;

    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(1);

    private readonly Lock _lock = new();
    private readonly long _length = settings.Segment.Ticks;

    /// <summary>What closed segments had, at the place of their number modulo the length.</summary>
    private readonly (long Segment, long Taken)[] _closed = [.. Enumerable.Repeat((long.MinValue, 0L), settings.Segments)];

    private long _segment = long.MinValue;
    private long _taken;
    private int _stock;
    private bool _isFull;
    private bool _isTakingBatch;
    private long _window = long.MinValue;
    private long _ownInWindow;

    /// <summary>Decides by what is known here, or says what has to be asked.</summary>
    public WindowDecision? Decide(int permits, DateTimeOffset now, out WindowAsk ask)
    {
        lock (_lock)
        {
            MoveTo_NeedsLock(now);
            ask = new WindowAsk(permits, _segment, 0, [], false);
            if (_stock > 0 && permits <= _stock)
            {
                _stock -= permits;
                return Grant_NeedsLock(permits);
            }

            if (_isFull)
            {
                return Refuse_NeedsLock(permits, now);
            }

            bool isBatch = permits > 0 && permits < settings.PermitsAtATime && !_isTakingBatch;
            _isTakingBatch |= isBatch;
            ask = new WindowAsk(permits, _segment, isBatch ? settings.PermitsAtATime : permits, NotClosed_NeedsLock(), isBatch);
            return null;
        }
    }

    /// <summary>Nobody has answered, or nobody waits any more.</summary>
    public void Abandon(WindowAsk ask)
    {
        lock (_lock)
        {
            _isTakingBatch &= !ask.IsBatch;
        }
    }

    /// <summary>Judges a whole answer. Null: the segment is closed, and the acquire begins anew with the present one.</summary>
    /// <param name="ask">What was asked.</param>
    /// <param name="answer">What was answered.</param>
    /// <param name="now">The time now.</param>
    /// <param name="giveBack">How many permits of the segment's counter are to be given back.</param>
    public WindowDecision? Judge(WindowAsk ask, WindowAnswer answer, DateTimeOffset now, out int giveBack)
    {
        lock (_lock)
        {
            _isTakingBatch &= !ask.IsBatch;
            Learn_NeedsLock(ask, answer);
            ulong count = answer.Count!.Value;
            bool isSliding = settings.Segments > 1;
            if (isSliding && count >= ClosedMark)
            {
                // Somebody's clock is ahead. What was granted here is below the mark, without what was added just now.
                giveBack = ask.Take;
                Remember_NeedsLock(ask.Segment, Math.Max((long)(count % ClosedMark) - ask.Take, 0));
                if (_segment == ask.Segment)
                {
                    Enter_NeedsLock(_segment + 1);
                }

                return null;
            }

            long free = settings.Limit - TakenBefore_NeedsLock(ask.Segment, out bool isKnown);
            if (!isKnown)
            {
                // The answer came so late that what it goes with is forgotten here.
                giveBack = ask.Take;
                return null;
            }

            long before = (long)Math.Min(count - (ulong)ask.Take, long.MaxValue);
            int mine = (int)Math.Clamp(free - before, 0, ask.Take);
            giveBack = isSliding ? ask.Take - mine : 0;
            bool isPresent = _segment == ask.Segment;
            if (isPresent)
            {
                _taken = Math.Max(_taken, Math.Min(before + mine, Math.Max(free, 0)));
                _isFull |= before + ask.Take >= free;
                mine += _stock;
                _stock = 0;
            }

            bool isGranted = ask.Permits == 0 ? mine > 0 || before < free : mine >= ask.Permits;
            int left = isGranted ? mine - ask.Permits : mine;
            if (isPresent)
            {
                _stock = left;
            }
            else if (isSliding)
            {
                giveBack += left;
            }

            return isGranted ? Grant_NeedsLock(ask.Permits) : Refuse_NeedsLock(ask.Permits, now);
        }
    }

    /// <summary>Decides while memcached does not tell.</summary>
    public WindowDecision DecideAlone(WindowAsk ask, WindowAnswer answer, DateTimeOffset now)
    {
        lock (_lock)
        {
            _isTakingBatch &= !ask.IsBatch;
            Learn_NeedsLock(ask, answer);
            MoveTo_NeedsLock(now);
            if (settings.OnOutage == MemcachedRateLimiterOutage.Refuse)
            {
                return new WindowDecision(false, answer.RetryAfter ?? DefaultRetryAfter);
            }

            long ticks = settings.Window.Ticks;
            return _ownInWindow + ask.Permits <= settings.Limit
                ? Grant_NeedsLock(ask.Permits)
                : new WindowDecision(false, new TimeSpan(ticks - (now.UtcTicks % ticks)));
        }
    }

    /// <summary>How many permits are left in the present window as far as is known here.</summary>
    public long Available(DateTimeOffset now)
    {
        lock (_lock)
        {
            MoveTo_NeedsLock(now);
            return _isFull ? _stock : Math.Max(settings.Limit - TakenBefore_NeedsLock(_segment, out _) - _taken, 0) + _stock;
        }
    }

    private WindowDecision Grant_NeedsLock(int permits)
    {
        _ownInWindow += permits;
        return WindowDecision.Granted;
    }

    /// <summary>When so many permits have left the window that this many are free again, as far as is known here.</summary>
    private WindowDecision Refuse_NeedsLock(int permits, DateTimeOffset now)
    {
        long free = settings.Limit - TakenBefore_NeedsLock(_segment, out _) - _taken;
        long oldest = _segment - settings.Segments + 1;
        for (long segment = oldest; segment < _segment; segment++)
        {
            free += ClosedIn_NeedsLock(segment) ?? 0;
            if (free >= Math.Max(permits, 1))
            {
                return new WindowDecision(false, Later(StartOf(segment + settings.Segments) - now));
            }
        }

        return new WindowDecision(false, Later(StartOf(_segment + settings.Segments) - now));
    }

    /// <summary>An answer may come when the window is over already; a pause is never negative.</summary>
    private static TimeSpan Later(TimeSpan pause) => pause > ShortestPause ? pause : ShortestPause;

    private DateTimeOffset StartOf(long segment) => new(segment * _length, TimeSpan.Zero);

    private void MoveTo_NeedsLock(DateTimeOffset now)
    {
        long window = now.UtcTicks / settings.Window.Ticks;
        if (window != _window)
        {
            _window = window;
            _ownInWindow = 0;
        }

        long segment = now.UtcTicks / _length;

        // The clock may have been set back a little, or others' clocks are ahead and have closed this segment: then the later one stays.
        if (segment > _segment)
        {
            Enter_NeedsLock(segment);
        }
        else if (_segment - segment > settings.Segments)
        {
            Array.Fill(_closed, (long.MinValue, 0L));
            Enter_NeedsLock(segment);
        }
    }

    private void Enter_NeedsLock(long segment)
    {
        _segment = segment;
        _taken = 0;
        _stock = 0;
        _isFull = false;
    }

    private void Learn_NeedsLock(WindowAsk ask, WindowAnswer answer)
    {
        for (int i = 0; i < answer.Closed.Length; i++)
        {
            if (answer.Closed[i] is { } count)
            {
                Remember_NeedsLock(ask.ToClose[i], (long)(count % ClosedMark));
            }
        }
    }

    /// <summary>A later answer is the lower one, if others have given back meanwhile; both are right.</summary>
    private void Remember_NeedsLock(long segment, long taken)
    {
        ref (long Segment, long Taken) place = ref _closed[segment % settings.Segments];
        if (place.Segment < segment)
        {
            place = (segment, taken);
        }
        else if (place.Segment == segment)
        {
            place.Taken = Math.Min(place.Taken, taken);
        }
    }

    private long? ClosedIn_NeedsLock(long segment)
    {
        (long Segment, long Taken) place = _closed[segment % settings.Segments];
        return place.Segment == segment ? place.Taken : null;
    }

    /// <summary>What the earlier segments of a segment's window have.</summary>
    private long TakenBefore_NeedsLock(long segment, out bool isKnown)
    {
        long sum = 0;
        isKnown = true;
        for (long earlier = segment - settings.Segments + 1; earlier < segment; earlier++)
        {
            long? taken = ClosedIn_NeedsLock(earlier);
            isKnown &= taken is not null;
            sum += taken ?? 0;
        }

        return sum;
    }

    private long[] NotClosed_NeedsLock()
    {
        int count = 0;
        for (long earlier = _segment - settings.Segments + 1; earlier < _segment; earlier++)
        {
            count += ClosedIn_NeedsLock(earlier) is null ? 1 : 0;
        }

        if (count == 0)
        {
            return [];
        }

        var open = new long[count];
        for (long earlier = _segment - 1; count > 0; earlier--)
        {
            if (ClosedIn_NeedsLock(earlier) is null)
            {
                open[--count] = earlier;
            }
        }

        return open;
    }
}
