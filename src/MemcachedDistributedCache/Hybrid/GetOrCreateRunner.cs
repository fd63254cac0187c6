using System.Runtime.CompilerServices;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Gets values that are not in the local cache: by one operation for all who ask for the same meanwhile.</summary>
internal sealed class GetOrCreateRunner(GetOrCreateSteps steps, LocalCache local, TagTracker tags, HybridContext context)
{
    private readonly SingleFlightTable _singleFlights = new();

    /// <summary>How many single flights are under way.</summary>
    public int SingleFlightCount => _singleFlights.Count;

    /// <summary>Cancels all that is under way.</summary>
    public void AbortAll() => _singleFlights.AbortAll();

    /// <summary>Gets a value that is not in the local cache, together with all who ask for it meanwhile where it is shared.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(T Value, MemcachedHybridSource Source)> GetAsync<TState, T>(
        GetOrCreateRequest<TState, T> request,
        CancellationToken cancellationToken)
    {
        ValueCodec<T> codec = steps.Calls.CodecOf<T>();
        if (codec.IsRefused)
        {
            // The cluster has no value that could be read, and a lease would only hold others up.
            request = request with { Options = request.Options.OutOfTheCluster() };
        }

        FactoryScope? scope = FactoryScope.Current;
        var key = new SingleFlightKey(request.Key, request.Options.Distinct, typeof(T));
        bool holdsLease = scope is not null && scope.Holds(context, key, request.IsOfBatch ? FactoryKind.Batch : FactoryKind.SingleFlight);
        Outcome<T> outcome;
        bool isNew;
        for (bool isFirst = true; ; isFirst = false)
        {
            (SingleFlight<T> singleFlight, isNew) = Enter<T>(key, request.IsOfBatch, holdsLease, cancellationToken);
            if (scope is not null && !scope.TryAwait(singleFlight))
            {
                // Somebody else's single flight waits for what this flow makes: who joined it would wait for ever.
                singleFlight.Forsake();
                holdsLease = true;
                continue;
            }

            try
            {
                if (isNew)
                {
                    singleFlight.Start(new GetOrCreateOperation<TState, T>(steps, context, _singleFlights, request, holdsLease));
                }
                else
                {
                    context.Counters.Add(HybridEvent.SingleFlightJoined);
                }

                Task<Outcome<T>> ending = isNew ? singleFlight.WaitFirstAsync(cancellationToken) : singleFlight.WaitAsync(cancellationToken);
                outcome = await ending.ConfigureAwait(false);
                break;
            }
            catch (Exception exception) when (!isNew
                && !cancellationToken.IsCancellationRequested
                && singleFlight.MayHaveFailedForFirstCaller(exception, isFirst))
            {
                HybridContext.ThrowIf(context.HasEnded);
            }
            finally
            {
                scope?.EndAwait(singleFlight);
            }
        }

        if (isNew && scope is null && outcome.Refresh is not null && !context.Options.RefreshInBackground)
        {
            // Somebody has to make the new value, and this caller does; all others have the old one by now. A factory does not wait: the
            // refresh may ask for what that factory makes, and nobody would see the circle.
            outcome = await outcome.Refresh.WaitAsync(cancellationToken).ConfigureAwait(false) ?? outcome;
        }

        return Give(outcome, codec);
    }

    /// <summary>Makes a value whose key cannot be used; it is kept nowhere.</summary>
    public async ValueTask<(T Value, MemcachedHybridSource Source)> MakeAsync<TState, T>(
        string? key,
        CallOptions options,
        ValueFactory<TState, T> factory,
        CancellationToken cancellationToken)
    {
        var asked = new SingleFlightKey(key ?? "", options.Distinct, typeof(T));
        FactoryScope.Current?.Holds(context, asked, FactoryKind.SingleFlight);
        return options.MayCreate
            ? (await steps.Factories.RunUnkeptAsync(asked, options, factory, cancellationToken).ConfigureAwait(false), MemcachedHybridSource.Factory)
            : (default!, MemcachedHybridSource.None);
    }

    private (T Value, MemcachedHybridSource Source) Give<T>(Outcome<T> outcome, ValueCodec<T> codec)
    {
        if (outcome.Source == MemcachedHybridSource.Stale)
        {
            context.Counters.Add(HybridEvent.StaleServed);
        }

        return (outcome.Take(codec), outcome.Source);
    }

    /// <summary>Joins the single flight of a key, or makes one: of its own where nobody is to join it.</summary>
    private (SingleFlight<T> SingleFlight, bool IsNew) Enter<T>(
        SingleFlightKey key,
        bool isOfBatch,
        bool holdsLease,
        CancellationToken firstCaller)
    {
        var now = new ChangeCounts(local.VersionOf(key.Key), tags.Invalidations);
        bool mayEndEarly = context.Options.FactorySoftTimeout != Timeout.InfiniteTimeSpan;
        return isOfBatch || holdsLease
            ? (_singleFlights.Add(new SingleFlight<T>(key, now, mayEndEarly) { IsOfBatch = isOfBatch, FirstCaller = firstCaller }), true)
            : _singleFlights.Enter<T>(key, now, mayEndEarly, firstCaller);
    }
}
