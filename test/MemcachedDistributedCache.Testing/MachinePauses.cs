using System.Diagnostics;

namespace MemcachedDistributedCache.Testing;

/// <summary>
/// Measures for how long this machine lets a thread wait for a processor, so that a test can tell a machine that stood
/// still from a client that did. On a thread of its own: whoever holds the thread pool up is not excused.
/// </summary>
public sealed class MachinePauses : IDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(5);

    private readonly Lock _lock = new();
    private readonly List<(long At, TimeSpan Length)> _pauses = [];
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private long _wokeAt = Stopwatch.GetTimestamp();

    /// <summary>Begins to measure.</summary>
    public MachinePauses()
    {
        _thread = new Thread(Measure) { IsBackground = true, Name = "machine pauses" };
        _thread.UnsafeStart();
    }

    /// <summary>The longest pause since the measurement began.</summary>
    public TimeSpan Longest => LongestSince(0);

    /// <summary>The longest pause that was not over by then; one that lasts counts, too.</summary>
    public TimeSpan LongestSince(long timestamp)
    {
        lock (_lock)
        {
            return _pauses.Where(pause => pause.At >= timestamp).Select(static pause => pause.Length).Append(Stopwatch.GetElapsedTime(_wokeAt) - Step).Max();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
    }

    private void Measure()
    {
        while (!_stop.Wait(Step))
        {
            lock (_lock)
            {
                long now = Stopwatch.GetTimestamp();
                TimeSpan late = Stopwatch.GetElapsedTime(_wokeAt, now) - Step;
                if (late > Step)
                {
                    _pauses.Add((now, late));
                }

                _wokeAt = now;
            }
        }
    }
}
