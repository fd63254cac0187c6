using MemcachedDistributedCache.Connections;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Internal;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The local copies, bounded in bytes and number. Every change of a key by this process raises the number of the key's stripe; a copy is
/// put in place only if the number is still the one from before its value was asked for. So nothing that was read or made before a
/// removal is put in place after it.
/// </summary>
internal sealed class LocalCache : IDisposable
{
    private const int Stripes = 1024;

    /// <summary>About what an entry takes besides its value.</summary>
    private const int Overhead = 256;

    /// <summary>
    /// No copy is kept for longer. The memory below adds the time to its clock, and an entry's own expiration may lie at the end of
    /// the calendar.
    /// </summary>
    private static readonly TimeSpan LongestKept = TimeSpan.FromDays(3650);

    private readonly MemoryCache _memory;
    private readonly TimeProvider _time;
    private readonly TimeSpan _revalidation;
    private readonly Clock _clock;
    private readonly int _smallestCharge;
    private readonly Stripe[] _stripes = new Stripe[Stripes];

    public LocalCache(MemcachedHybridCacheOptions options, TimeProvider timeProvider)
    {
        _time = timeProvider;
        _revalidation = options.LocalCacheRevalidation;
        _clock = new Clock(timeProvider);

        // Each entry is charged with at least its share of the bytes, so that one bound holds both.
        _smallestCharge = (options.MaximumLocalBytes + options.MaximumLocalEntries - 1) / options.MaximumLocalEntries;
        _memory = new MemoryCache(new MemoryCacheOptions
        {
            SizeLimit = options.MaximumLocalBytes,
#pragma warning disable CS0618 // The only way to give it a clock.
            Clock = _clock,
#pragma warning restore CS0618
        });
        for (int i = 0; i < Stripes; i++)
        {
            _stripes[i] = new Stripe();
        }
    }

    /// <summary>How many copies there are.</summary>
    public int Count => _memory.Count;

    /// <summary>The bytes that an entry counts for.</summary>
    public static long SizeOf(string key, long valueBytes) => Overhead + ((long)key.Length * sizeof(char)) + valueBytes;

    /// <summary>A copy, fresh or not.</summary>
    public CachedEntry? Find(string key) => _memory.TryGetValue(key, out object? found) ? (CachedEntry?)found : null;

    /// <summary>The same by a key that is no string; none is made.</summary>
    public CachedEntry? Find(ReadOnlySpan<char> key) => _memory.TryGetValue(key, out object? found) ? (CachedEntry?)found : null;

    /// <summary>The number to give to <see cref="TryPut"/> with what is asked for from now on.</summary>
    public long VersionOf(string key) => Volatile.Read(ref StripeOf(key).Version);

    /// <summary>Puts a copy in place, unless the key has been changed since <paramref name="version"/>.</summary>
    /// <param name="key">The key.</param>
    /// <param name="entry">The copy.</param>
    /// <param name="version">The key's number from before the value was asked for.</param>
    /// <param name="keepFor">How long it may be of use; it is forgotten after that.</param>
    public bool TryPut(string key, CachedEntry entry, long version, TimeSpan keepFor)
    {
        if (keepFor <= TimeSpan.Zero)
        {
            return false;
        }

        Stripe stripe = StripeOf(key);
        lock (stripe)
        {
            if (stripe.Version != version)
            {
                return false;
            }

            Put_NeedsLock(key, entry, keepFor);
            return true;
        }
    }

    /// <summary>
    /// Ends a change of a key: what was asked for since it began may be from before it, and is not put in place after this. Its own
    /// copy is, unless the key was changed again meanwhile: then nobody knows which change came last.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="entry">The copy, or null where none is kept.</param>
    /// <param name="version">The key's number from the beginning of the change.</param>
    /// <param name="keepFor">How long it may be of use.</param>
    public void Replace(string key, CachedEntry? entry, long version, TimeSpan keepFor)
    {
        Stripe stripe = StripeOf(key);
        lock (stripe)
        {
            if (entry is not null && keepFor > TimeSpan.Zero && stripe.Version == version)
            {
                Put_NeedsLock(key, entry, keepFor);
            }
            else
            {
                _memory.Remove(key);
            }

            stripe.Version++;
        }
    }

    /// <summary>Forgets a key, and whatever was asked for it before; returns its new number.</summary>
    public long Invalidate(string key)
    {
        Stripe stripe = StripeOf(key);
        lock (stripe)
        {
            _memory.Remove(key);
            return ++stripe.Version;
        }
    }

    /// <summary>Forgets a copy that turned out to be of no use, if it is still the one.</summary>
    public void Drop(string key, CachedEntry entry)
    {
        lock (StripeOf(key))
        {
            if (ReferenceEquals(Find(key), entry))
            {
                _memory.Remove(key);
            }
        }
    }

    /// <summary>Lets a copy be served on by itself, because it was found to be right at a moment, or nobody can say otherwise.</summary>
    public void Confirm(CachedEntry entry, long knownAt) => entry.FreshUntil = Math.Min(entry.LocalUntil, After(knownAt, _revalidation));

    /// <summary>The timestamp that lies a time span after another.</summary>
    public long After(long timestamp, TimeSpan span)
        => span >= LongestKept ? long.MaxValue : timestamp + (long)(span.TotalSeconds * _time.TimestampFrequency);

    /// <summary>
    /// Frees the copies. The memory itself stays in use: a factory or a removal that outlives the cache still finds it, and must
    /// not fail for that.
    /// </summary>
#pragma warning disable CA2213 // Its Dispose only makes later calls throw.
    public void Dispose()
    {
        _clock.Dispose();
        _memory.Clear();
    }
#pragma warning restore CA2213

    private void Put_NeedsLock(string key, CachedEntry entry, TimeSpan keepFor)
    {
        // Its clock may stand up to an interval behind.
        TimeSpan bounded = keepFor < LongestKept ? keepFor : LongestKept;
        _memory.Set(
            key,
            entry,
            new MemoryCacheEntryOptions
            {
                AbsoluteExpirationRelativeToNow = bounded + Clock.Interval,
                Size = Math.Max(entry.Size, _smallestCharge),
            });
    }

    private Stripe StripeOf(string key) => _stripes[(uint)key.GetHashCode(StringComparison.Ordinal) % Stripes];

    private sealed class Stripe
    {
        public long Version;
    }

#pragma warning disable CS0618
    /// <summary>
    /// A clock that moves once a second. All that is exact stands in the entries themselves; the memory below only has to forget
    /// them some time and to know which were used last, and asks for the time with each read, which would cost as much as all the
    /// rest.
    /// </summary>
    private sealed class Clock : ISystemClock, IDisposable
    {
        public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
        private readonly TimeProvider _timeProvider;
        private readonly ITimer _timer;
        private long _ticks;

        public Clock(TimeProvider timeProvider)
        {
            _timeProvider = timeProvider;
            _ticks = timeProvider.GetUtcNow().UtcTicks;
            using (FlowGuard.Suppress())
            {
                _timer = timeProvider.CreateTimer(static state => ((Clock)state!).Move(), this, Interval, Interval);
            }
        }

        public DateTimeOffset UtcNow => new(Volatile.Read(ref _ticks), TimeSpan.Zero);

        public void Dispose() => _timer.Dispose();

        private void Move() => Volatile.Write(ref _ticks, _timeProvider.GetUtcNow().UtcTicks);
    }
#pragma warning restore CS0618
}
