using System.Runtime.InteropServices;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Consistency;

/// <summary>
/// The removals of a replay that the server has refused in words: a proxy whose own server is away, or a server that
/// takes no such command. The server has answered, so the same question at once would be answered alike: each key is
/// tried again at growing pauses. It stays uncertain, a miss for this process, until a removal or another change of it
/// is made. Used by the replay's loop alone.
/// </summary>
internal sealed class RefusedRemovals(ConsistencySettings settings, NodeCounters counters, ILogger logger)
{
    /// <summary>No key is tried more rarely. It is removed for other processes as late as that after its server is back.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    /// <summary>Whoever has refused for as long is not waited for any more by what concerns all keys of the node.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);

    private readonly LogLimiter _warnings = new(settings.TimeProvider);
    private readonly Dictionary<long, Refusal> _refusals = []; // by the version of the uncertain write

    /// <summary>Notes that a removal was refused.</summary>
    public void Add(long version, OperationFailure failure)
    {
        long now = settings.TimeProvider.GetTimestamp();
        Refusal refusal = _refusals.TryGetValue(version, out Refusal before)
            ? before with { At = now, Pause = before.Pause * 2 < LongestPause ? before.Pause * 2 : LongestPause }
            : new Refusal(now, now, settings.RetryPause);
        _refusals[version] = refusal;
        if (_warnings.TryPass(out long suppressed))
        {
            Log.RemovalRefused(logger, counters.Server, failure.Detail ?? failure.Reason.ToString(), suppressed);
        }
    }

    /// <summary>The key of an uncertain write is not to be tried yet.</summary>
    public bool IsPaused(long version)
        => _refusals.TryGetValue(version, out Refusal refusal) && settings.TimeProvider.GetElapsedTime(refusal.At) < refusal.Pause;

    /// <summary>What concerns all keys of the node waits for the removal: it was refused, and not for long.</summary>
    public bool IsAwaited(long version)
        => _refusals.TryGetValue(version, out Refusal refusal) && settings.TimeProvider.GetElapsedTime(refusal.FirstAt) < LongestWait;

    /// <summary>Forgets all but the uncertain writes that there are.</summary>
    public void KeepOnly(IEnumerable<long> versions)
    {
        if (_refusals.Count == 0)
        {
            return;
        }

        HashSet<long> current = [.. versions];
        foreach (long version in _refusals.Keys.Where(version => !current.Contains(version)).ToArray())
        {
            _refusals.Remove(version);
        }
    }

    /// <summary>All keys may be tried again: another server may answer now.</summary>
    public void Clear() => _refusals.Clear();

    /// <summary>The refusals of one removal.</summary>
    /// <param name="FirstAt">The first, as a timestamp.</param>
    /// <param name="At">The last, as a timestamp.</param>
    /// <param name="Pause">The time until the next try.</param>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Refusal(long FirstAt, long At, TimeSpan Pause);
}
