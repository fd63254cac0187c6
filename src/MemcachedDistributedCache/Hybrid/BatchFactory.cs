namespace MemcachedDistributedCache.Hybrid;

/// <summary>Makes many values by one run of a factory, and has each kept under its own lease.</summary>
internal sealed class BatchFactory(FactoryRuns runs, MadeValues made, TagTracker tags, HybridContext context)
{
    /// <summary>Makes values.</summary>
    /// <param name="items">The keys whose values are kept.</param>
    /// <param name="unusable">Those whose values cannot be.</param>
    /// <param name="first">What the first of them shares with calls that ask for the same.</param>
    /// <param name="factory">The factory.</param>
    /// <param name="cancellationToken">Cancelled when nobody wants the values.</param>
    /// <returns>The values, also of keys that nobody asked for.</returns>
    public async Task<IReadOnlyDictionary<string, T>> MakeAsync<T>(
        List<BatchItem<T>> items,
        List<string> unusable,
        SingleFlightKey first,
        ManyFactory<T> factory,
        CancellationToken cancellationToken)
    {
        string[] keys = [.. items.Select(static item => item.Call.Key), .. unusable];
        IReadOnlyDictionary<string, T> values;
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            items.ForEach(item => item.Stamps = tags.Capture(item.Call.Tags));
            values = await InvokeAsync(keys, first, factory, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            runs.NoteFailed(exception, cancellationToken);
            await ReleaseAsync(items).ConfigureAwait(false);
            throw;
        }

        await FanOut.RunAsync(items, context.Width.Stores, item => KeepAsync(item, values)).ConfigureAwait(false);
        return values;
    }

    /// <summary>Gives leases back.</summary>
    public Task ReleaseAsync<T>(List<BatchItem<T>> items)
        => FanOut.RunAsync(items, context.Width.Requests, static item => item.Claim.ReleaseAsync());

    private async ValueTask<IReadOnlyDictionary<string, T>> InvokeAsync<T>(
        string[] keys,
        SingleFlightKey first,
        ManyFactory<T> factory,
        CancellationToken cancellationToken)
    {
        using var scope = FactoryScope.Enter(context, first, keys);
        return await runs.RunAsync(ValueFactory.Of((keys, factory), MakeManyAsync<T>), context: null, cancellationToken).ConfigureAwait(false);
    }

    private async Task KeepAsync<T>(BatchItem<T> item, IReadOnlyDictionary<string, T> values)
    {
        try
        {
            if (values.TryGetValue(item.Call.Key, out T? value))
            {
                await made.KeepAsync(item.Call, value, item.Stamps, item.Claim).ConfigureAwait(false);
                return;
            }
        }
        catch
        {
            // The dictionary is the application's, and may throw.
            await item.Claim.ReleaseAsync().ConfigureAwait(false);
            throw;
        }

        await item.Claim.ReleaseAsync().ConfigureAwait(false);
    }

    private static async ValueTask<IReadOnlyDictionary<string, T>> MakeManyAsync<T>(
        (string[] Keys, ManyFactory<T> Factory) state,
        CancellationToken cancellationToken)
        => await state.Factory(state.Keys, cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException("The factory gave null in place of the values by key.");
}

/// <summary>Makes the values of many keys; a key that is left out has none.</summary>
internal delegate ValueTask<IReadOnlyDictionary<string, T>> ManyFactory<T>(IReadOnlyList<string> keys, CancellationToken cancellationToken);
