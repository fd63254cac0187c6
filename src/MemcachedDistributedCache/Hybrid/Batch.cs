using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The steps of all batches of one cache.</summary>
/// <param name="Calls">Makes the calls.</param>
/// <param name="Reader">Finds values in the local cache.</param>
/// <param name="Reads">Asks the cluster.</param>
/// <param name="Factories">Makes what is missing.</param>
/// <param name="Single">Gets a key that goes the way of a single key.</param>
internal sealed record BatchSteps(Calls Calls, EntryReader Reader, BatchReads Reads, BatchFactory Factories, GetOrCreateRunner Single);

/// <summary>
/// Many keys at once. Those that are missing are asked for together, so many at a time as leave room in the queues of the
/// connections; those whose lease is won, or of which nothing can be known, are made by one run of the factory. What another
/// process makes is asked for again, all of it together; what it gives up is made by one more run. Only an expired entry that may
/// still be of use goes the way of a single key.
/// </summary>
#pragma warning disable CA1001 // The semaphore has no wait handle, so there is nothing to free; a lease may be about to give it back.
internal sealed class Batch<T>(
    BatchSteps steps,
    HybridContext context,
    CallOptions options,
    IReadOnlyList<string> tags,
    ManyFactory<T> factory)
#pragma warning restore CA1001
{
    private readonly Dictionary<string, T> _values = new(StringComparer.Ordinal);
    private readonly List<string> _single = [];
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _renewals = new(context.Width.Requests);
    private readonly CallOptions _options = steps.Calls.CodecOf<T>().IsRefused ? options.OutOfTheCluster() : options;
    private HashSet<string>? _held; // by a factory that waits for this call
    private Task _tagsKnown = Task.CompletedTask;

    /// <summary>Runs it.</summary>
    public async ValueTask<IReadOnlyDictionary<string, T>> RunAsync(string[] keys, CancellationToken cancellationToken)
    {
        List<string> asked = [];
        List<string> copies = [];
        List<string> unusable = [];
        foreach (string key in keys)
        {
            if (steps.Reader.TryGetLocal<T>(key, _options, out T? value, out _))
            {
                _values[key] = value;
            }
            else
            {
                (!steps.Calls.IsUsable(key) ? unusable : steps.Reader.HasLocal(key, _options) ? copies : asked).Add(key);
            }
        }

        if (FactoryScope.Current is { } scope)
        {
            // A batch within a batch of the same kind, for a key that the outer one makes, would go on for ever.
            _held = [.. asked.Concat(copies).Concat(unusable).Where(key => scope.Holds(context, KeyOf(key), FactoryKind.Batch))];
        }

        await FanOut.RunAsync(copies, context.Width.Requests, key => ConfirmAsync(key, asked, cancellationToken)).ConfigureAwait(false);
        if (_options.MayCreate)
        {
            await AskAllAsync(asked, unusable, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            _single.AddRange(asked);
        }

        await FanOut.RunAsync(_single, context.Width.Requests, key => GetSingleAsync(key, cancellationToken)).ConfigureAwait(false);
        return _values;
    }

    /// <summary>
    /// Serves the local copy or the entry in its place, if there is one; a key that has neither is asked for with the others.
    /// </summary>
    private async Task ConfirmAsync(string key, List<string> asked, CancellationToken cancellationToken)
    {
        CallOptions only = _options with { Flags = _options.Flags | HybridCacheEntryFlags.DisableUnderlyingData };
        var request = new GetOrCreateRequest<int, T>(key, only, tags, default) { IsOfBatch = true };
        (T value, MemcachedHybridSource source) = await steps.Single.GetAsync(request, cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            switch (source)
            {
                case MemcachedHybridSource.None:
                    asked.Add(key);
                    break;
                case MemcachedHybridSource.Stale when _options.MayCreate:
                    _single.Add(key); // Somebody has to refresh it.
                    break;
                default:
                    _values[key] = value;
                    break;
            }
        }
    }

    private async Task AskAllAsync(List<string> keys, List<string> unusable, CancellationToken cancellationToken)
    {
        List<BatchItem<T>> asked = keys.ConvertAll(key => new BatchItem<T>(steps.Calls.New<T>(key, _options, tags)));
        _tagsKnown = steps.Calls.EnsureTagsAsync([.. asked.SelectMany(static item => item.Call.Tags).Distinct()]);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, context.Ended);
        for (LeaseWait? wait = null; asked.Count + unusable.Count > 0;)
        {
            List<BatchItem<T>> taken = await AskOnceAsync(asked, unusable, ending.Token).ConfigureAwait(false);
            unusable = [];
            asked = taken;
            if (taken.Count == 0)
            {
                return;
            }

            wait ??= new LeaseWait(context, taken.Count);
            if (wait.IsOver)
            {
                taken.ForEach(static item => item.Claim = new Claim(StoreTarget.None));
                await MakeAsync(taken, unusable, ending.Token).ConfigureAwait(false);
                return;
            }

            await wait.PauseAsync(ending.Token, taken.Count).ConfigureAwait(false);
        }
    }

    /// <summary>Asks for keys, and makes those that are to be made; gives those that another process makes.</summary>
    private async Task<List<BatchItem<T>>> AskOnceAsync(
        List<BatchItem<T>> asked,
        List<string> unusable,
        CancellationToken cancellationToken)
    {
        List<BatchItem<T>> make = [];
        List<BatchItem<T>> taken = [];
        try
        {
            await FanOut.RunAsync(asked, context.Width.Requests, item => AskAsync(item, make, taken)).ConfigureAwait(false);
        }
        catch
        {
            await steps.Factories.ReleaseAsync(make).ConfigureAwait(false);
            throw;
        }

        await MakeAsync(make, unusable, cancellationToken).ConfigureAwait(false);
        return taken;
    }

    private async Task AskAsync(BatchItem<T> item, List<BatchItem<T>> make, List<BatchItem<T>> taken)
    {
        (BatchStep step, T? value) = await steps.Reads.AskAsync(item, _tagsKnown, _renewals).ConfigureAwait(false);
        lock (_lock)
        {
            switch (step)
            {
                case BatchStep.Done:
                    _values[item.Call.Key] = value!;
                    break;
                case BatchStep.Make:
                    make.Add(item);
                    break;
                case BatchStep.Wait when _held?.Contains(item.Call.Key) == true:
                    item.Claim = new Claim(StoreTarget.None);
                    make.Add(item);
                    break;
                case BatchStep.Wait:
                    taken.Add(item);
                    break;
                case BatchStep.Single:
                    _single.Add(item.Call.Key);
                    break;
            }
        }
    }

    private async Task MakeAsync(List<BatchItem<T>> items, List<string> unusable, CancellationToken cancellationToken)
    {
        if (items.Count + unusable.Count == 0)
        {
            return;
        }

        SingleFlightKey first = KeyOf(items.Count > 0 ? items[0].Call.Key : unusable[0]);
        IReadOnlyDictionary<string, T> made = await steps
            .Factories.MakeAsync(items, unusable, first, factory, cancellationToken)
            .ConfigureAwait(false);
        foreach (string key in items.Select(static item => item.Call.Key).Concat(unusable))
        {
            if (made.TryGetValue(key, out T? value))
            {
                _values[key] = value;
            }
        }
    }

    private async Task GetSingleAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            ValueFactory<(string, ManyFactory<T>), T> one = ValueFactory.Of((key, factory), MakeOneAsync);
            var request = GetOrCreateRequest.Of(key, _options, tags, one) with { IsOfBatch = true };
            (T value, MemcachedHybridSource source) = await steps.Single.GetAsync(request, cancellationToken).ConfigureAwait(false);
            if (source != MemcachedHybridSource.None)
            {
                lock (_lock)
                {
                    _values[key] = value;
                }
            }
        }
        catch (LeftOutException)
        {
            // The factory has no value for this key, and nothing was stored.
        }
    }

    private SingleFlightKey KeyOf(string key) => new(key, _options.Distinct, typeof(T));

    private static async ValueTask<T> MakeOneAsync((string Key, ManyFactory<T> Factory) state, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, T> made = await state.Factory([state.Key], cancellationToken).ConfigureAwait(false);
        return made is not null && made.TryGetValue(state.Key, out T? value) ? value : throw new LeftOutException();
    }
}
