using MemcachedDistributedCache.AspNetCore.RateLimiting;

namespace MemcachedDistributedCache.AspNetCore.Tests.RateLimiting;

/// <summary>Counters in memory, which answer at once or not at all.</summary>
internal sealed class FakeCounters : IWindowCounters
{
    private readonly Dictionary<long, ulong> _counts = [];

    /// <summary>How often somebody asked.</summary>
    public int Asked { get; private set; }

    /// <summary>Nobody answers, for this reason.</summary>
    public string? Failure { get; set; }

    /// <summary>How long until a server that is down is tried again.</summary>
    public TimeSpan? RetryAfter { get; set; }

    /// <summary>Additions are made, and their answers lost.</summary>
    public bool LosesAnswers { get; set; }

    /// <summary>Holds asynchronous answers back until it ends.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public ulong this[long segment] => _counts.GetValueOrDefault(segment);

    public async ValueTask<WindowAnswer> AskAsync(WindowAsk ask, CancellationToken cancellationToken)
    {
        Task gate = Gate;
        WindowAnswer answer = Ask(ask);
        await gate.WaitAsync(cancellationToken);
        return answer;
    }

    public WindowAnswer Ask(WindowAsk ask)
    {
        Asked++;
        if (Failure is not null)
        {
            if (LosesAnswers)
            {
                Add(ask.Segment, (ulong)ask.Take);
            }

            return new WindowAnswer(null, [.. ask.ToClose.Select(static _ => (ulong?)null)], Failure, RetryAfter);
        }

        ulong?[] closed = [.. ask.ToClose.Select(segment => (ulong?)Add(segment, WindowState.ClosedMark))];
        return new WindowAnswer(Add(ask.Segment, (ulong)ask.Take), closed);
    }

    public void GiveBack(long segment, int permits)
    {
        if (_counts.TryGetValue(segment, out ulong count))
        {
            _counts[segment] = count - Math.Min(count, (ulong)permits);
        }
    }

    public ulong Add(long segment, ulong delta) => _counts[segment] = this[segment] + delta;
}
