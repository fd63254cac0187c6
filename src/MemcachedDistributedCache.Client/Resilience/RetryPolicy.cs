using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;
using Polly.Retry;
using Polly;

namespace MemcachedDistributedCache.Resilience;

/// <summary>
/// The attempts that follow a failed first one. That one runs bare: a pipeline around every operation would cost more than the operation. Every
/// operation of the cache may be repeated: reads change nothing, and stores and deletes do the same when they are done twice.
/// </summary>
internal sealed class RetryPolicy
{
    private static readonly ResiliencePropertyKey<Run> RunKey = new("MemcachedDistributedCache.Run");

    private readonly RetrySettings _settings;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline<OperationResult> _pipeline;

    public RetryPolicy(RetrySettings settings, TimeProvider timeProvider)
    {
        _settings = settings;
        _time = timeProvider;
        _pipeline = new ResiliencePipelineBuilder<OperationResult> { TimeProvider = timeProvider }
            .AddRetry(new RetryStrategyOptions<OperationResult>
            {
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is null && IsWorthAnother(arguments.Outcome.Result, arguments.Context)),
                MaxRetryAttempts = settings.MaximumRetries,
                DelayGenerator = Pause,
                OnRetry = static arguments =>
                {
                    arguments.Outcome.Result.Failure!.Node.AddRetry();
                    return ValueTask.CompletedTask;
                },
            })
            .Build();
    }

    /// <summary>
    /// It is worth while to repeat an operation with this result. Not where the node is known to be down, which is told at once, nor where
    /// there is too much to do already.
    /// </summary>
    /// <param name="result">The result.</param>
    /// <param name="onlyUnsent">The operation may not be sent twice, so that only one that was not sent is repeated.</param>
    public static bool IsTransient(in OperationResult result, bool onlyUnsent = false)
        => result.Status == ResultStatus.Failed && !(onlyUnsent && result.Failure!.WasSent) && result.Failure!.Reason switch
    {
        MemcachedFailureReason.TimedOut or MemcachedFailureReason.ConnectionLost => true,
        MemcachedFailureReason.Unavailable => !result.Failure.IsRefusal || result.Failure.Node.RetryAfter is null,
        _ => false,
    };

    /// <summary>
    /// Repeats an operation whose first attempt failed; gives the last attempt's result. Its failure tells of the
    /// request as sent where any of the attempts was: each may have happened.
    /// </summary>
    /// <param name="first">The first attempt's result.</param>
    /// <param name="attempt">Makes another attempt.</param>
    /// <param name="state">What it is given.</param>
    /// <param name="mode">With <see cref="CallMode.Sync"/> the result is there on return, and nothing needs the thread pool.</param>
    /// <param name="requests">How many requests an attempt makes, one after the other; each has the limit of an attempt.</param>
    /// <param name="took">How long the first attempt took, where that is more than its last request.</param>
    /// <param name="onlyUnsent">The operation may not be sent twice: an attempt that may have been sent is the last.</param>
    /// <param name="cancellationToken">
    /// Ends pauses and attempts. The result is then <see cref="ResultStatus.Canceled"/> with the last failure, since
    /// what was tried before did not happen for sure.
    /// </param>
    public async ValueTask<OperationResult> AgainAsync<TState>(
        OperationResult first,
        Func<TState, ValueTask<OperationResult>> attempt,
        TState state,
        CallMode mode,
        CancellationToken cancellationToken,
        int requests = 1,
        TimeSpan? took = null,
        bool onlyUnsent = false)
    {
        TimeSpan left = _settings.TotalTimeout - (took ?? TimeTaken(first.Failure!));
        var run = new Run(mode, _time.GetTimestamp(), left - (requests * _settings.AttemptTimeout)) { Last = first, OnlyUnsent = onlyUnsent };
        ResilienceContext context = ResilienceContextPool.Shared.Get(cancellationToken);
        try
        {
            context.Properties.Set(RunKey, run);
            Outcome<OperationResult> outcome = await _pipeline.ExecuteOutcomeAsync(
                static async (_, call) =>
                {
                    if (call.Run.IsBegun)
                    {
                        call.Run.Last = WithWhatWasSent(call.Run.Last, await call.Attempt(call.State).ConfigureAwait(false));
                    }

                    // The first attempt has been made; the pipeline is shown what came of it.
                    call.Run.IsBegun = true;
                    return Outcome.FromResult(call.Run.Last);
                },
                context,
                (Attempt: attempt, State: state, Run: run)).ConfigureAwait(false);
            return outcome.Exception switch
            {
                null => outcome.Result,
                OperationCanceledException => run.Last with { Status = ResultStatus.Canceled },
                _ => run.Last,
            };
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private static OperationResult WithWhatWasSent(in OperationResult before, in OperationResult last)
        => before.Failure is { WasSent: true } && last.Failure is { } failure
            ? last with { Failure = failure with { WasSent = true } }
            : last;

    private TimeSpan TimeTaken(OperationFailure failure) => failure.IsRefusal ? TimeSpan.Zero : failure.Took ?? _settings.AttemptTimeout;

    /// <summary>Another attempt may be made, and would end within the limit.</summary>
    private bool IsWorthAnother(in OperationResult result, ResilienceContext context)
        => context.Properties.TryGetValue(RunKey, out Run? run) && IsTransient(result, run.OnlyUnsent) && TimeToPause(run) >= _settings.Delay;

    /// <summary>How long a pause may be so that the attempt behind it has its whole time.</summary>
    private TimeSpan TimeToPause(Run run) => run.LastStart - _time.GetElapsedTime(run.StartedAt);

    /// <summary>
    /// The pause before the next attempt: twice the last, with jitter, and no longer than there is time. A blocked
    /// caller waits here: Polly's own pause would need a thread of the pool to end it, and all may be blocked.
    /// </summary>
    private ValueTask<TimeSpan?> Pause(RetryDelayGeneratorArguments<OperationResult> arguments)
    {
        double growth = Math.Pow(2, arguments.AttemptNumber) * (0.5 + Random.Shared.NextDouble());
        TimeSpan pause = _settings.Delay * growth;
        if (arguments.Context.Properties.TryGetValue(RunKey, out Run? run))
        {
            TimeSpan most = TimeToPause(run);
            pause = pause <= most ? pause : most > TimeSpan.Zero ? most : TimeSpan.Zero;
            if (run.Mode == CallMode.Sync)
            {
                arguments.Context.CancellationToken.WaitHandle.WaitOne(pause);
                pause = TimeSpan.Zero;
            }
        }

        return ValueTask.FromResult<TimeSpan?>(pause);
    }

    private sealed class Run(CallMode mode, long startedAt, TimeSpan lastStart)
    {
        public CallMode Mode => mode;

        public long StartedAt => startedAt;

        /// <summary>How long after the start an attempt may begin at the latest.</summary>
        public TimeSpan LastStart => lastStart;

        public bool OnlyUnsent { get; init; }

        public bool IsBegun { get; set; }

        public OperationResult Last { get; set; }
    }
}
