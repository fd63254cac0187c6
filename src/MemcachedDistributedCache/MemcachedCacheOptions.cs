using MemcachedDistributedCache.Options;
using Microsoft.Extensions.Options;
using Polly;

namespace MemcachedDistributedCache;

/// <summary>
/// The options of a memcached cache: those of its client (<see cref="MemcachedClientOptions"/>), and what callers of the caches see. They
/// are read and validated when the host starts; of later changes only that of <see cref="MemcachedClientOptions.Servers"/> is followed.
/// A value that is out of its range ends the start with an <c>OptionsValidationException</c> that names the option, the value and the
/// remedy.
/// </summary>
public sealed class MemcachedCacheOptions : MemcachedClientOptions
{
    /// <summary>The fate of a value over the limit. Default: <see cref="MemcachedOversizeBehavior.Throw"/>.</summary>
    [OneOf(typeof(MemcachedOversizeBehavior))]
    public MemcachedOversizeBehavior OversizeBehavior { get; set; } = MemcachedOversizeBehavior.Throw;

    /// <summary>The answer to callers where a server gives none. Default: <see cref="MemcachedFailureMode.Degrade"/>.</summary>
    [OneOf(typeof(MemcachedFailureMode))]
    public MemcachedFailureMode FailureMode { get; set; } = MemcachedFailureMode.Degrade;

    /// <summary>
    /// The options of the <c>HybridCache</c> on this cluster; in configuration the sub-section <c>Hybrid</c>. Of no effect without
    /// <c>AddMemcachedHybridCache</c>.
    /// </summary>
    [ValidateObjectMembers]
    public MemcachedHybridCacheOptions Hybrid { get; set; } = new();

    /// <summary>The callback that <see cref="ConfigureResilience"/> was given.</summary>
    internal Action<ResiliencePipelineBuilder>? Resilience { get; private set; }

    /// <summary>
    /// Puts strategies of your own around every operation of the cache: a rate limiter, a stricter time-out, a breaker. They see a
    /// <see cref="MemcachedUnavailableException"/> where a server gives no answer, whatever <see cref="FailureMode"/> says. With
    /// <see cref="MemcachedFailureMode.Degrade"/> callers see neither that nor an
    /// <see cref="ExecutionRejectedException"/> of a strategy. A pipeline costs each operation some microseconds, so
    /// there is none by default.
    /// </summary>
    /// <param name="configure">Adds strategies; what is given in several calls is added in their order, the first outermost.</param>
    public void ConfigureResilience(Action<ResiliencePipelineBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Resilience += configure;
    }
}
