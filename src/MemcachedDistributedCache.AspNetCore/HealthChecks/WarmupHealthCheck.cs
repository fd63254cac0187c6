using MemcachedDistributedCache.AspNetCore.Warmup;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MemcachedDistributedCache.AspNetCore.HealthChecks;

/// <summary>
/// Waits for the warm-ups: until all have ended it has the registration's failure status. Degraded where one took longer than it may, or
/// could not list its items.
/// </summary>
internal sealed class WarmupHealthCheck(WarmupService[] warmups, TimeSpan? limit) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var data = new Dictionary<string, object>(StringComparer.Ordinal);
        var waitsFor = new List<string>();
        var degraded = new List<string>();
        foreach (WarmupService warmup in warmups)
        {
            WarmupProgress progress = warmup.Progress;
            data[progress.Name] = FormattableString.Invariant($"{progress.Stage}, {progress.Filled} filled, {progress.Failed} failed");
            if (warmup.HasFailed || (progress.Stage < WarmupStage.Ended && !(progress.Elapsed > limit)))
            {
                waitsFor.Add(progress.Name);
            }
            else if (progress.Stage != WarmupStage.Ended)
            {
                degraded.Add(progress.Name);
            }
        }

        return Task.FromResult(
            waitsFor.Count != 0
                ? new HealthCheckResult(context.Registration.FailureStatus, $"Not warmed up: {string.Join(", ", waitsFor)}.", data: data)
            : degraded.Count != 0
                ? HealthCheckResult.Degraded($"Not warmed up, and not waited for: {string.Join(", ", degraded)}.", data: data)
            : HealthCheckResult.Healthy("Warmed up.", data));
    }
}
