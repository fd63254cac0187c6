using Polly;
using Polly.Retry;

namespace MemcachedDistributedCache.Resilience;

/// <summary>Builds the pipeline that tries to reach a node which is down: again and again, with growing, jittered, capped pauses.</summary>
internal static class ReconnectPipeline
{
    /// <summary>Builds it. The pauses start at <paramref name="delay"/>, double, and stay at <paramref name="maximumDelay"/>.</summary>
    public static ResiliencePipeline Create(TimeSpan delay, TimeSpan maximumDelay, TimeProvider timeProvider)
        => new ResiliencePipelineBuilder { TimeProvider = timeProvider }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = static arguments => ValueTask.FromResult(arguments.Outcome.Exception is not (null or OperationCanceledException)),
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = delay,
                MaxDelay = maximumDelay,
                MaxRetryAttempts = int.MaxValue,
            })
            .Build();
}
