using MemcachedDistributedCache.Cluster;
using Polly.CircuitBreaker;
using Polly;

namespace MemcachedDistributedCache.Resilience;

/// <summary>
/// Polly's circuit breaker for one node. Operations do not run through it, which would cost more than they do
/// themselves: it is told how many were answered and how many were not, and the node reads a flag. Only the probe of a
/// node that is out runs through it.
/// </summary>
internal sealed class CircuitBreaker : ICircuit
{
    /// <summary>A report is scaled down to this many samples: the share counts, and each sample takes a lock.</summary>
    private const int MostSamples = 16;

    /// <summary>
    /// A throughput beyond this is counted in samples that stand for several requests each: as many as there can be within
    /// <see cref="BreakerSettings.SamplingDuration"/> however seldom reports come.
    /// </summary>
    private const int MostThroughput = 128;

    /// <summary>A sixteenth sixteen times is a whole one.</summary>
    private const double Rounding = 1e-6;

    private readonly BreakerSettings _settings;
    private readonly TimeProvider _time;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly CircuitBreakerManualControl _control = new();
    private readonly ResiliencePipeline<bool> _pipeline;
    private readonly int _requestsPerSample;
    private readonly int _minimumSamples;
    private long _waiting;
    private double _failed;
    private long _probeAt;
    private long _closedAt;
    private int _openings;

    public CircuitBreaker(BreakerSettings settings, TimeProvider timeProvider)
    {
        _settings = settings;
        _time = timeProvider;
        _requestsPerSample = ((settings.MinimumThroughput - 1) / MostThroughput) + 1;
        _minimumSamples = Math.Max(2, ((settings.MinimumThroughput - 1) / _requestsPerSample) + 1);
        _pipeline = new ResiliencePipelineBuilder<bool> { TimeProvider = new SteadyTime(timeProvider) }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<bool>
            {
                ShouldHandle = static arguments => ValueTask.FromResult(arguments.Outcome.Exception is not null || !arguments.Outcome.Result),
                FailureRatio = settings.FailureRatio,
                MinimumThroughput = _minimumSamples,
                SamplingDuration = settings.SamplingDuration,
                BreakDurationGenerator = _ => ValueTask.FromResult(NextPause()),
                StateProvider = _state,
                ManualControl = _control,
            })
            .Build();
    }

    /// <inheritdoc/>
    public TimeSpan UntilProbe
    {
        get
        {
            long ticks = Volatile.Read(ref _probeAt) - _time.GetTimestamp();
            return IsClosed || ticks <= 0 ? TimeSpan.Zero : TimeSpan.FromSeconds((double)ticks / _time.TimestampFrequency);
        }
    }

    private bool IsClosed => _state.CircuitState == CircuitState.Closed;

    /// <inheritdoc/>
    public bool Report(long answered, long failed)
    {
        long total = answered + failed;
        if (total == 0 || !IsClosed)
        {
            return false;
        }

        // What is less than a sample waits for the next report: rounded up, few failures among many requests would be many.
        long requests = _waiting + total;
        long samples = Math.Min(requests / _requestsPerSample, MostSamples);
        _waiting = samples == MostSamples ? 0 : requests % _requestsPerSample;
        _failed += samples == MostSamples ? (double)failed * samples / total : (double)failed / _requestsPerSample;
        for (int i = 0; i < samples; i++)
        {
            bool fails = _failed >= 1 - Rounding;
            _failed -= fails ? 1 : 0;
            Feed(success: !fails);
        }

        return !IsClosed;
    }

    /// <inheritdoc/>
    public void Trip()
    {
        if (!IsClosed)
        {
            return;
        }

        // From a clean sheet, enough failures in a row are all there is. Nothing of it waits: the breaker has no
        // callbacks. The bound leaves room for a report that comes in between.
        _control.CloseAsync().GetAwaiter().GetResult();
        for (int i = 0; i < 2 * (_minimumSamples + MostSamples) && IsClosed; i++)
        {
            Feed(success: false);
        }
    }

    /// <inheritdoc/>
    public async Task<bool> ProbeAsync(Func<CancellationToken, ValueTask<bool>> probe, CancellationToken cancellationToken)
    {
        ResilienceContext context = ResilienceContextPool.Shared.Get(cancellationToken);
        try
        {
            // A circuit that is not due gives an outcome with an exception.
            Outcome<bool> outcome = await _pipeline.ExecuteOutcomeAsync(
                static async (context, probe) => Outcome.FromResult(await probe(context.CancellationToken).ConfigureAwait(false)),
                context,
                probe).ConfigureAwait(false);
            if (outcome is not { Exception: null, Result: true })
            {
                return false;
            }

            Volatile.Write(ref _closedAt, _time.GetTimestamp());
            return true;
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private void Feed(bool success)
    {
        ResilienceContext context = ResilienceContextPool.Shared.Get();
        _pipeline.ExecuteOutcomeAsync(static (_, success) => ValueTask.FromResult(Outcome.FromResult(success)), context, success)
            .AsTask().GetAwaiter().GetResult();
        ResilienceContextPool.Shared.Return(context);
    }

    /// <summary>
    /// The pause before the next probe: twice the last, with jitter; from the first again when the node has been well
    /// for a while.
    /// </summary>
    private TimeSpan NextPause()
    {
        long closedAt = Volatile.Read(ref _closedAt);
        bool wasWell = closedAt != 0 && _time.GetElapsedTime(closedAt) >= _settings.MaximumDelay;
        Volatile.Write(ref _closedAt, 0);
        _openings = wasWell ? 1 : _openings + 1;
        double growth = Math.Pow(2, Math.Min(_openings - 1, 30)) * (0.75 + (Random.Shared.NextDouble() / 2));
        var pause = TimeSpan.FromTicks((long)Math.Min(_settings.Delay.Ticks * growth, _settings.MaximumDelay.Ticks));
        Volatile.Write(ref _probeAt, _time.GetTimestamp() + (long)(pause.TotalSeconds * _time.TimestampFrequency));
        return pause;
    }
}
