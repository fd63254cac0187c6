using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MemcachedDistributedCache.AspNetCore.HealthChecks;

/// <summary>
/// Asks every server. All answer: healthy. Some do, and no fewer than the quorum: degraded. Otherwise the registration's failure status,
/// unhealthy by default.
/// </summary>
internal sealed class MemcachedHealthCheck(MemcachedCache cache, int quorum, TimeSpan timeout) : IHealthCheck
{
    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        IReadOnlyList<MemcachedNodePing> pings = await cache.PingAsync(timeout, cancellationToken).ConfigureAwait(false);
        string[] down = [.. pings.Where(static ping => ping.Failure is not null).Select(static ping => ping.Server)];
        int answering = pings.Count - down.Length;
        var data = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["answering"] = answering,
            ["quorum"] = quorum,
            ["down"] = down,
        };
        foreach (MemcachedNodePing ping in pings)
        {
            data[ping.Server] = ping.Failure is { } failure
                ? failure.ToString()
                : FormattableString.Invariant($"{ping.ServerVersion} in {ping.RoundTrip!.Value.TotalMilliseconds:0.0} ms");
        }

        if (down.Length == 0 && answering >= quorum)
        {
            return HealthCheckResult.Healthy($"All {pings.Count} memcached servers answer.", data);
        }

        return answering >= quorum
            ? HealthCheckResult.Degraded(
                $"{answering} of {pings.Count} memcached servers answer; these do not: {string.Join(", ", down)}.",
                data: data)
            : new HealthCheckResult(
                context.Registration.FailureStatus,
                $"{answering} of {pings.Count} memcached servers answer, and {quorum} must.",
                data: data);
    }
}
