using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Runs factories: counts every run, and times it when somebody listens.</summary>
internal sealed class FactoryRuns(HybridCounters counters, CacheTelemetry telemetry, TimeProvider timeProvider)
{
    /// <summary>Wider than those of requests: a factory may as well ask a process next door as compute for a minute.</summary>
    private static readonly double[] Bounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private readonly DurationMetric _duration = telemetry.Hub.Duration(
        "memcached.hybrid.factory.duration",
        "How long a factory of the hybrid cache ran, whoever waited for it.",
        Bounds);
    private readonly MetricTags _success = telemetry.Tags.With(AttributeNames.Outcome, RequestOutcome.Success.Text());
    private readonly MetricTags _error = telemetry.Tags.With(AttributeNames.Outcome, RequestOutcome.Other.Text());
    private readonly MetricTags _canceled = telemetry.Tags.With(AttributeNames.Outcome, RequestOutcome.Canceled.Text());

    /// <summary>Runs one.</summary>
    /// <param name="factory">The factory.</param>
    /// <param name="context">What it may change; <see cref="ValueFactory{TState, T}.NewContext"/>.</param>
    /// <param name="cancellationToken">Cancelled when nobody wants the value.</param>
    public ValueTask<T> RunAsync<TState, T>(
        in ValueFactory<TState, T> factory,
        HybridCacheEntryContext? context,
        CancellationToken cancellationToken)
    {
        counters.Add(HybridEvent.FactoryRun);
        return _duration.IsEnabled ? RunTimedAsync(factory, context, cancellationToken) : factory.InvokeAsync(context, cancellationToken);
    }

    /// <summary>Counts a run that gave no value, unless it was told to end.</summary>
    public void NoteFailed(Exception exception, CancellationToken cancellationToken)
    {
        if (OutcomeOf(exception, cancellationToken) == _error)
        {
            counters.Add(HybridEvent.FactoryFailed);
        }
    }

    private async ValueTask<T> RunTimedAsync<TState, T>(
        ValueFactory<TState, T> factory,
        HybridCacheEntryContext? context,
        CancellationToken cancellationToken)
    {
        long startedAt = timeProvider.GetTimestamp();
        MetricTags outcome = _success;
        try
        {
            return await factory.InvokeAsync(context, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            outcome = OutcomeOf(exception, cancellationToken);
            throw;
        }
        finally
        {
            _duration.Record(timeProvider.GetElapsedTime(startedAt), outcome.All);
        }
    }

    private MetricTags OutcomeOf(Exception exception, CancellationToken cancellationToken) => exception switch
    {
        OperationCanceledException when cancellationToken.IsCancellationRequested => _canceled,

        // It did what it is there for: it said that there is no value for this key.
        LeftOutException => _success,
        _ => _error,
    };
}
