using System.Collections.Concurrent;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Soak;

/// <summary>What all callers together did and saw.</summary>
public sealed class SoakTally
{
    private const int MaximumComplaints = 20;

    private readonly ConcurrentQueue<string> _complaints = new();
    private readonly long _started = TimeProvider.System.GetTimestamp();
    private readonly long[] _verbs = new long[Enum.GetValues<SoakVerb>().Length];
    private readonly long[] _judgements = new long[Enum.GetValues<ReadJudgement>().Length];
    private (TimeSpan Took, string What) _longest;
    private readonly Lock _lock = new();
    private long _hits;
    private long _cancelled;
    private long _unexpected;

    /// <summary>Calls that are over.</summary>
    public long Operations => Reads + Writes + Removals + Refreshes;

    /// <summary>Reads.</summary>
    public long Reads => Volatile.Read(ref _verbs[(int)SoakVerb.Read]);

    /// <summary>Reads that gave a value.</summary>
    public long Hits => Volatile.Read(ref _hits);

    /// <summary>Stores.</summary>
    public long Writes => Volatile.Read(ref _verbs[(int)SoakVerb.Write]);

    /// <summary>Removals.</summary>
    public long Removals => Volatile.Read(ref _verbs[(int)SoakVerb.Remove]);

    /// <summary>Refreshes.</summary>
    public long Refreshes => Volatile.Read(ref _verbs[(int)SoakVerb.Refresh]);

    /// <summary>Calls that their caller gave up.</summary>
    public long Cancelled => Volatile.Read(ref _cancelled);

    /// <summary>Values that nobody wrote under the key.</summary>
    public long Wrong => Volatile.Read(ref _judgements[(int)ReadJudgement.Wrong]);

    /// <summary>Values older than what had been written.</summary>
    public long Stale => Volatile.Read(ref _judgements[(int)ReadJudgement.Stale]);

    /// <summary>Values that had been removed.</summary>
    public long LostDeletes => Volatile.Read(ref _judgements[(int)ReadJudgement.LostDelete]);

    /// <summary>Exceptions that are none of the cache's own.</summary>
    public long Unexpected => Volatile.Read(ref _unexpected);

    /// <summary>The longest call.</summary>
    public TimeSpan Longest => _longest.Took;

    /// <summary>The longest call, in words.</summary>
    public string LongestText => $"{_longest.Took.TotalSeconds:0.00} s ({_longest.What})";

    /// <summary>Time since the run's start.</summary>
    public TimeSpan Elapsed => TimeProvider.System.GetElapsedTime(_started);

    /// <summary>The first of what was wrong, in words.</summary>
    public IEnumerable<string> Complaints => _complaints;

    /// <summary>Notes a call that is over.</summary>
    public void Add(SoakVerb verb, bool sync, TimeSpan took)
    {
        Interlocked.Increment(ref _verbs[(int)verb]);
        lock (_lock)
        {
            if (took > _longest.Took)
            {
                _longest = (took, $"{(sync ? "synchronous" : "asynchronous")} {verb} at {Elapsed.TotalSeconds:0.000}");
            }
        }
    }

    /// <summary>Notes a call that its caller gave up.</summary>
    public void AddCancelled() => Interlocked.Increment(ref _cancelled);

    /// <summary>Notes what a read gave.</summary>
    public void AddRead(bool found, ReadJudgement judgement, string? complaint, string how)
    {
        if (found)
        {
            Interlocked.Increment(ref _hits);
        }

        Interlocked.Increment(ref _judgements[(int)judgement]);
        if (judgement != ReadJudgement.Legal)
        {
            Complain($"{judgement}: {complaint}, read {how}");
        }
    }

    /// <summary>Notes an exception that no caller should have seen.</summary>
    public void AddUnexpected(Exception exception)
    {
        Interlocked.Increment(ref _unexpected);
        Complain(exception.ToString());
    }

    private void Complain(string complaint)
    {
        if (_complaints.Count < MaximumComplaints)
        {
            _complaints.Enqueue($"{Elapsed.TotalSeconds:0.000} s: {complaint}");
        }
    }
}

/// <summary>What a call does.</summary>
public enum SoakVerb
{
    /// <summary>Reads.</summary>
    Read,

    /// <summary>Stores.</summary>
    Write,

    /// <summary>Removes.</summary>
    Remove,

    /// <summary>Refreshes.</summary>
    Refresh,
}
