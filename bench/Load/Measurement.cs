using System.Diagnostics;

namespace MemcachedDistributedCache.Load;

/// <summary>What one subject did in one round.</summary>
internal sealed record Measurement
{
    /// <summary>Operations per second.</summary>
    public required double Rate { get; init; }

    /// <summary>User and system time of this process per operation, in microseconds.</summary>
    public required double Cpu { get; init; }

    /// <summary>Bytes allocated per operation.</summary>
    public required double Allocated { get; init; }

    /// <summary>Latency percentiles in microseconds.</summary>
    public required double P50 { get; init; }

    /// <inheritdoc cref="P50"/>
    public required double P99 { get; init; }

    /// <inheritdoc cref="P50"/>
    public required double P999 { get; init; }

    /// <summary>Operations that threw or missed.</summary>
    public required long Errors { get; init; }

    /// <summary>Reads that gave another value than was stored.</summary>
    public required long Wrong { get; init; }

    /// <summary>The first failure in words.</summary>
    public string? FirstError { get; init; }

    /// <summary>Drives a subject with a number of callers for a time.</summary>
    public static async Task<Measurement> TakeAsync(Subject subject, Workload workload, int width, TimeSpan duration, CancellationToken cancellationToken)
    {
        var stop = new StopFlag();
        Caller[] callers = [.. Enumerable.Range(0, width).Select(i => new Caller(workload, i, stop))];
        using IDisposable? watch = subject.Watch();
        GC.Collect();
        long bytes = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long started = Stopwatch.GetTimestamp();
        Task[] running = [.. callers.Select(caller => Task.Run(() => subject.RunAsync(caller), CancellationToken.None))];
        try
        {
            await Task.Delay(duration, cancellationToken);
        }
        finally
        {
            Volatile.Write(ref stop.Value, true);
            await Task.WhenAll(running).WaitAsync(TimeSpan.FromSeconds(30), CancellationToken.None);
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
        cpu = Environment.CpuUsage.TotalTime - cpu;
        bytes = GC.GetTotalAllocatedBytes(precise: true) - bytes;
        long operations = Math.Max(1, callers.Sum(static caller => caller.Operations));
        var latencies = new Histogram();
        Array.ForEach(callers, caller => latencies.Add(caller.Latencies));
        return new Measurement
        {
            Rate = operations / elapsed.TotalSeconds,
            Cpu = cpu.TotalMicroseconds / operations,
            Allocated = (double)bytes / operations,
            P50 = latencies.Percentile(0.5),
            P99 = latencies.Percentile(0.99),
            P999 = latencies.Percentile(0.999),
            Errors = callers.Sum(static caller => caller.Errors),
            Wrong = callers.Sum(static caller => caller.Wrong),
            FirstError = callers.Select(static caller => caller.FirstError?.Message).FirstOrDefault(static message => message is not null),
        };
    }
}
