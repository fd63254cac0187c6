using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>A factory that is to run for a call.</summary>
/// <param name="Call">The call.</param>
/// <param name="Factory">The factory.</param>
/// <param name="SingleFlight">The callers who wait; null for a refresh, for which nobody waits.</param>
internal sealed record FactoryRun<TState, T>(Call<T> Call, ValueFactory<TState, T> Factory, SingleFlight<T>? SingleFlight)
{
    /// <summary>How the factory came to run.</summary>
    public FactoryKind Kind => SingleFlight switch
    {
        null => FactoryKind.Refresh,
        { IsOfBatch: true } => FactoryKind.Batch,
        _ => FactoryKind.SingleFlight,
    };
}

/// <summary>Runs factories, and has what they give kept.</summary>
internal sealed class FactoryRunner(FactoryRuns runs, MadeValues made, TagTracker tags, HybridContext context)
{
    /// <summary>Makes a value.</summary>
    /// <param name="run">The factory and its call.</param>
    /// <param name="claim">By which right the value is made.</param>
    /// <param name="fallback">What is served if the factory fails.</param>
    public async Task<Outcome<T>> RunAsync<TState, T>(FactoryRun<TState, T> run, Claim claim, Fallback<T>? fallback = null)
    {
        CancellationToken token = run.SingleFlight?.Token ?? context.Ended;
        T value;
        TagStamp[] stamps;
        Call<T> chosen = run.Call;
        try
        {
            token.ThrowIfCancellationRequested();
            claim.Lease?.Begin();

            // Before the factory: whatever is invalidated from here on invalidates its value.
            stamps = tags.Capture(chosen.Tags);
            HybridCacheEntryContext? choices = run.Factory.NewContext(chosen.Options);
            int revision = choices?.Revision ?? 0;
            value = await InvokeAsync(run, choices, fallback, token).ConfigureAwait(false);
            if (choices is not null && choices.Revision != revision)
            {
                // Checked here, where a factory that has chosen what cannot be is a factory that failed.
                chosen = chosen with { Options = chosen.Options.ChosenBy(choices) };
            }
        }
        catch (Exception exception)
        {
            await claim.ReleaseAsync().ConfigureAwait(false);
            if (exception is OperationCanceledException && token.IsCancellationRequested)
            {
                throw;
            }

            runs.NoteFailed(exception, token);
            if (fallback is null)
            {
                throw;
            }

            HybridLog.HybridFactoryFailed(context.Logger, exception);
            return await made.ServeLastAsync(run.Call, fallback).ConfigureAwait(false);
        }

        return await made.KeepAsync(chosen, value, stamps, claim).ConfigureAwait(false);
    }

    /// <summary>Makes a value whose key cannot be used; it is kept nowhere.</summary>
    public async ValueTask<T> RunUnkeptAsync<TState, T>(
        SingleFlightKey key,
        CallOptions options,
        ValueFactory<TState, T> factory,
        CancellationToken cancellationToken)
    {
        using var scope = FactoryScope.Enter(context, FactoryKind.SingleFlight, key);
        try
        {
            return await runs.RunAsync(factory, factory.NewContext(options), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            runs.NoteFailed(exception, cancellationToken);
            throw;
        }
    }

    /// <inheritdoc cref="MadeValues.ServeLastAsync"/>
    public ValueTask<Outcome<T>> ServeLastAsync<T>(Call<T> call, Fallback<T> fallback) => made.ServeLastAsync(call, fallback);

    private async ValueTask<T> InvokeAsync<TState, T>(
        FactoryRun<TState, T> run,
        HybridCacheEntryContext? choices,
        Fallback<T>? fallback,
        CancellationToken token)
    {
        if (run.SingleFlight?.IsOnCallersThread == true)
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }

        using var scope = FactoryScope.Enter(context, run.Kind, run.Call.SingleFlightKey, run.SingleFlight);
        TimeSpan limit = context.Options.FactorySoftTimeout;
        if (fallback is null || run.SingleFlight is not { } singleFlight || limit == Timeout.InfiniteTimeSpan)
        {
            return await runs.RunAsync(run.Factory, choices, token).ConfigureAwait(false);
        }

        Task<T> making = runs.RunAsync(run.Factory, choices, token).AsTask();
        using (var ended = new CancellationTokenSource())
        {
            if (await Task.WhenAny(making, Task.Delay(limit, context.IoTime, ended.Token)).ConfigureAwait(false) != making)
            {
                singleFlight.CompleteEarly(await made.ServeLastAsync(run.Call, fallback).ConfigureAwait(false));
            }

            await ended.CancelAsync().ConfigureAwait(false);
        }

        return await making.ConfigureAwait(false);
    }
}
