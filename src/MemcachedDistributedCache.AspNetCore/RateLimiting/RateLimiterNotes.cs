using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using MemcachedDistributedCache.AspNetCore.Diagnostics;
using Microsoft.Extensions.Logging;
using LogLimiter = MemcachedDistributedCache.Telemetry.LogLimiter;

namespace MemcachedDistributedCache.AspNetCore.RateLimiting;

/// <summary>
/// Counts what limiters decide, and logs that memcached does not tell: at most once a minute for all limiters on one client, since each of
/// thousands of partitions would say the same.
/// </summary>
internal sealed class RateLimiterNotes(IMemcachedClient client, string name, ILogger logger, IMeterFactory? meters)
{
    private static readonly ConditionalWeakTable<IMemcachedClient, Limiters> PerClient = [];
    private readonly Limiters _limiters = PerClient.GetValue(client, static _ => new Limiters());
    private readonly Counter<long>? _leases = RateLimiterMetrics.Leases(meters);

    public void Granted() => Count("granted");

    public void Refused() => Count("refused");

    /// <summary>Decided without memcached.</summary>
    public void DecidedAlone(bool isGranted, string? failure)
    {
        Count(isGranted ? "granted_in_outage" : "refused_in_outage");
        if (_limiters.Outage.TryPass(out long suppressed))
        {
            Log.RateLimiterAlone(logger, name, failure, suppressed);
        }
    }

    /// <summary>Every segment that this process may use is closed.</summary>
    public void ClocksDiffer()
    {
        if (_limiters.Clocks.TryPass(out long suppressed))
        {
            Log.RateLimiterClocksDiffer(logger, name, suppressed);
        }
    }

    private void Count(string what)
    {
        if (_leases is { Enabled: true })
        {
            try
            {
                _leases.Add(1, new(RateLimiterMetrics.Name, name), new(RateLimiterMetrics.Outcome, what));
            }
            catch (Exception)
            {
                // A listener that throws must not fail the acquire.
            }
        }
    }

    private sealed class Limiters
    {
        public LogLimiter Outage { get; } = new();

        public LogLimiter Clocks { get; } = new();
    }
}
