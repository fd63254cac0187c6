using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// A caller whose keys all lie on one node and belong to it alone, so that it knows what they may hold. Nothing may be
/// thrown at it. A paced one goes to its source after every call, for a millisecond, as an application does that
/// misses: without that, answers at once would make it take the processor from the others.
/// </summary>
internal sealed class DedicatedCaller(MemcachedCache cache, int node, int[] keys, bool paced, int seed)
{
    private static readonly DistributedCacheEntryOptions Default = new();
    private readonly KeyLedger[] _ledgers = [.. keys.Select(key => new KeyLedger(key))];
    private readonly List<Sample> _samples = [];
    private long _operations;
    private long _hits;

    /// <summary>The node of its keys.</summary>
    public int Node => node;

    /// <summary>Calls that are over.</summary>
    public long Operations => Volatile.Read(ref _operations);

    /// <summary>Reads that gave a value.</summary>
    public long Hits => Volatile.Read(ref _hits);

    /// <summary>The longest call.</summary>
    public TimeSpan Longest { get; private set; }

    /// <summary>The name of a key.</summary>
    public static string Name(int key) => "caller key " + key;

    /// <summary>Calls until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var random = new Random(seed);
        while (!stop.IsCancellationRequested)
        {
            KeyLedger ledger = _ledgers[random.Next(_ledgers.Length)];
            long started = Stopwatch.GetTimestamp();
            await CallAsync(ledger, random.Next(10), random.Next(500));
            TimeSpan took = Stopwatch.GetElapsedTime(started);
            Longest = took > Longest ? took : Longest;
            Volatile.Write(ref _operations, _operations + 1);
            if (paced)
            {
                lock (_samples)
                {
                    _samples.Add(new Sample(started, took));
                }

                await Task.Delay(1, CancellationToken.None);
            }
        }
    }

    /// <summary>What the calls took that began in a span of time; a paced caller's.</summary>
    public IEnumerable<TimeSpan> Took(long from, long to)
    {
        lock (_samples)
        {
            return [.. _samples.Where(sample => sample.At >= from && sample.At < to).Select(sample => sample.Took)];
        }
    }

    private async Task CallAsync(KeyLedger ledger, int what, int length)
    {
        if (what < 8)
        {
            KeyLedger.Reading reading = ledger.BeginRead();
            byte[]? value = await cache.GetAsync(Name(ledger.Key));
            Assert.True(ledger.Judge(reading, value, out string? complaint) == ReadJudgement.Legal, complaint);
            Volatile.Write(ref _hits, _hits + (value is null ? 0 : 1));
            return;
        }

        int change = ledger.Begin();
        if (what == 8)
        {
            await cache.SetAsync(Name(ledger.Key), KeyedValues.Create(ledger.Key, change, length), Default);
        }
        else if (change % 4 == 0)
        {
            await cache.RemoveAsync(Name(ledger.Key));
        }
        else
        {
            await cache.SetAsync(Name(ledger.Key), KeyedValues.Create(ledger.Key, change, length), Default);
        }

        ledger.End(change, isRemoval: what != 8 && change % 4 == 0);
    }

    private sealed record Sample(long At, TimeSpan Took);
}
