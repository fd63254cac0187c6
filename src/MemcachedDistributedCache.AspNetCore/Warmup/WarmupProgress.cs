using System.Diagnostics;
using System.Diagnostics.Metrics;
using MemcachedDistributedCache.AspNetCore.Diagnostics;
using Microsoft.Extensions.Logging;
using LogLimiter = MemcachedDistributedCache.Telemetry.LogLimiter;

namespace MemcachedDistributedCache.AspNetCore.Warmup;

/// <summary>A name that is taken.</summary>
internal sealed record WarmupName(string Name);

/// <summary>How far a warm-up is.</summary>
internal enum WarmupStage
{
    NotStarted,
    Running,
    Ended,

    /// <summary>More items failed than may, or the list of items ended with an exception.</summary>
    GivenUp,
}

/// <summary>Counts, logs and publishes what a warm-up does.</summary>
internal sealed class WarmupProgress(string name, ILogger logger, IMeterFactory? meters)
{
    private readonly LogLimiter _failures = new();
    private readonly LogLimiter _reports = new();
    private readonly Counter<long>? _items = WarmupMetrics.Items(meters);
    private long _filled;
    private long _failed;
    private long _startedAt;
    private volatile WarmupStage _stage;

    public string Name => name;

    public WarmupStage Stage => _stage;

    public long Filled => Volatile.Read(ref _filled);

    public long Failed => Volatile.Read(ref _failed);

    /// <summary>How long ago it began.</summary>
    public TimeSpan Elapsed => _stage == WarmupStage.NotStarted ? TimeSpan.Zero : Stopwatch.GetElapsedTime(Volatile.Read(ref _startedAt));

    public void Start(int parallelism)
    {
        Volatile.Write(ref _startedAt, Stopwatch.GetTimestamp());
        _stage = WarmupStage.Running;
        _reports.TryPass(out _);
        Log.WarmupStarted(logger, name, parallelism);
    }

    public void AddFilled()
    {
        Interlocked.Increment(ref _filled);
        Count("filled");
        Report();
    }

    /// <summary>Counts a failure, and returns how many there are.</summary>
    public long AddFailed(Exception exception)
    {
        long failed = Interlocked.Increment(ref _failed);
        Count("failed");
        if (_failures.TryPass(out long suppressed))
        {
            Log.WarmupItemFailed(logger, name, suppressed, exception);
        }

        Report();
        return failed;
    }

    public void End()
    {
        Log.WarmupEnded(logger, name, Filled, Failed, Elapsed.TotalSeconds);
        _stage = WarmupStage.Ended;
    }

    public void GiveUp(string reason, Exception? exception)
    {
        _stage = WarmupStage.GivenUp;
        Log.WarmupGivenUp(logger, name, reason, Filled, Failed, exception);
    }

    private void Report()
    {
        if (_reports.TryPass(out _))
        {
            Log.WarmupProgress(logger, name, Filled, Failed, Elapsed.TotalSeconds);
        }
    }

    private void Count(string outcome)
    {
        try
        {
            _items?.Add(1, new(WarmupMetrics.Name, name), new(WarmupMetrics.Outcome, outcome));
        }
        catch (Exception)
        {
            // A listener that throws must not fail the item.
        }
    }
}
