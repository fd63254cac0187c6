using System.Diagnostics;
using System.Numerics;

namespace MemcachedDistributedCache.Load;

/// <summary>Counts durations in buckets of 1/64 of a power of two nanoseconds, so a percentile is off by 1.6 % at most.</summary>
internal sealed class Histogram
{
    private const int SubBits = 6;
    private const int MaximumExponent = 36;
    private static readonly double NanosecondsPerTick = 1e9 / Stopwatch.Frequency;
    private readonly int[] _counts = new int[(MaximumExponent - SubBits + 1) << SubBits];

    /// <summary>Counts one duration in ticks of <see cref="Stopwatch"/>.</summary>
    public void Add(long ticks) => _counts[Index((ulong)(ticks * NanosecondsPerTick))]++;

    /// <summary>Adds another's counts.</summary>
    public void Add(Histogram other)
    {
        for (int i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }
    }

    /// <summary>The duration in microseconds that the given share of all does not exceed.</summary>
    public double Percentile(double share)
    {
        long total = _counts.Sum(static count => (long)count);
        long rank = (long)Math.Ceiling(total * share);
        long seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank && seen > 0)
            {
                return Middle(i) / 1000;
            }
        }

        return 0;
    }

    private static int Index(ulong nanoseconds)
    {
        int exponent = Math.Max(SubBits, BitOperations.Log2(nanoseconds | 1));
        if (exponent >= MaximumExponent)
        {
            return ((MaximumExponent - SubBits + 1) << SubBits) - 1;
        }

        int shift = exponent - SubBits;
        return exponent == SubBits ? (int)Math.Min(nanoseconds >> 1, 63) : (shift << SubBits) + (int)((nanoseconds >> shift) & 63);
    }

    private static double Middle(int index)
    {
        int shift = index >> SubBits;
        int low = index & 63;
        return shift == 0 ? (low * 2) + 1 : (64.5 + low) * (1L << shift);
    }
}
