using MemcachedDistributedCache.Caching;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Many keys at once. All that are missing are asked for together, so that each server sees one packet; those whose lease is won, or of which nothing
/// can be known, are made by one run of the factory. What another process makes, or needs a second look, goes the way of a single key.
/// </summary>
internal sealed class Batch<T>(HybridEngine engine, CallOptions options, IReadOnlyList<string> tags, Func<IReadOnlyList<string>, CancellationToken, ValueTask<IReadOnlyDictionary<string, T>>> factory)
{
    private readonly Dictionary<string, T> _values = new(StringComparer.Ordinal);
    private readonly ValueCodec<T> _codec = engine.Codecs.Of<T>();

    /// <summary>Runs it.</summary>
    public async ValueTask<IReadOnlyDictionary<string, T>> RunAsync(string[] keys, CancellationToken cancellationToken)
    {
        var missing = new List<string>();
        var unusable = new List<string>();
        foreach (string key in keys)
        {
            if (engine.TryGetLocal<T>(key, options, out T? value, out _))
            {
                _values[key] = value;
            }
            else
            {
                (engine.IsUsable(key) ? missing : unusable).Add(key);
            }
        }

        // A copy that only has to be confirmed, or a caller who keeps out of the cluster, gains nothing from a batch.
        bool isPlain = options is { MayReadRemote: true, MayWriteRemote: true, MayCreate: true };
        List<string> single = [.. missing.Where(key => !isPlain || (options.MayReadLocal && engine.Local.Find(key) is not null))];
        missing.RemoveAll(single.Contains);

        var calls = missing.ConvertAll(NewCall);
        Task<RemoteRead>[] reads = [.. calls.Select(call => engine.Remote.LeaseAsync(call.WireKey, withValue: true).AsTask())];
        Task known = calls.Count == 0 ? Task.CompletedTask : engine.Tags.EnsureAsync([.. calls.SelectMany(static call => call.Tags).Distinct()]);
        await Task.WhenAll(reads).ConfigureAwait(false);
        await known.ConfigureAwait(false);

        var toMake = new List<(Call Call, Lease? Lease)>();
        for (int i = 0; i < calls.Count; i++)
        {
            RemoteRead read = await reads[i].ConfigureAwait(false);
            Call call = calls[i];
            switch (read.State)
            {
                case RemoteState.Won:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    toMake.Add((call, engine.Remote.Hold(call.WireKey, read.Ticket)));
                    break;
                case RemoteState.Unavailable:
                    toMake.Add((call, null));
                    break;
                case RemoteState.Entry when await TryTakeAsync(call, read).ConfigureAwait(false):
                    break;
                default:
                    single.Add(call.Key);
                    break;
            }
        }

        await MakeAsync(toMake, unusable, cancellationToken).ConfigureAwait(false);
        await Task.WhenAll(single.Select(key => GetSingleAsync(key, cancellationToken))).ConfigureAwait(false);
        return _values;
    }

    private Call NewCall(string key)
    {
        byte[] wireKey = engine.Keys.Encode(key, HybridSpace.Entry);
        return new Call(key, wireKey, options, engine.Tags.Resolve(tags, wireKey), engine.Local.VersionOf(key));
    }

    private async ValueTask<bool> TryTakeAsync(Call call, RemoteRead read)
    {
        CachedEntry entry = read.Entry!;
        if (entry.Kind == PayloadKind.Elsewhere
            || entry.ExpiresAt <= engine.Time.GetUtcNow().ToUnixTimeMilliseconds()
            || await engine.Tags.CheckReadAsync(entry.Tags).ConfigureAwait(false) != TagCheck.Valid
            || !engine.TryRead<T>(call.Key, entry, out T? value))
        {
            return false;
        }

        engine.Counters.Add(HybridEvent.RemoteHit);
        engine.Writer.KeepRead(call, read, value, _codec);
        _values[call.Key] = value;
        return true;
    }

    private async Task MakeAsync(List<(Call Call, Lease? Lease)> toMake, List<string> unusable, CancellationToken cancellationToken)
    {
        string[] keys = [.. toMake.Select(static item => item.Call.Key), .. unusable];
        if (keys.Length == 0 || (!options.MayCreate && toMake.Count == 0))
        {
            return;
        }

        IReadOnlyDictionary<string, T> made;
        List<TagStamp[]> stamps;
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach ((_, Lease? lease) in toMake)
            {
                lease?.Begin();
            }

            stamps = toMake.ConvertAll(item => TagKeeper.Capture(item.Call.Tags, () => TagVersion.Create(engine.Time)));
            made = await engine.Factories.RunAsync(ValueFactory.Of((keys, factory), MakeManyAsync), context: null, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            engine.Factories.NoteFailed(exception, cancellationToken);
            await Task.WhenAll(toMake.Select(static item => item.Lease?.ReleaseAsync().AsTask() ?? Task.CompletedTask)).ConfigureAwait(false);
            throw;
        }

        await Task.WhenAll(toMake.Select((item, i) => KeepAsync(item.Call, item.Lease, stamps[i], made))).ConfigureAwait(false);
        foreach (string key in keys)
        {
            if (made.TryGetValue(key, out T? value))
            {
                _values[key] = value;
            }
        }
    }

    private async Task KeepAsync(Call call, Lease? lease, TagStamp[] stamps, IReadOnlyDictionary<string, T> made)
    {
        if (!made.TryGetValue(call.Key, out T? value))
        {
            await (lease is null ? Task.CompletedTask : lease.ReleaseAsync().AsTask()).ConfigureAwait(false);
            return;
        }

        await Making.KeepAsync(engine, call, _codec, value, stamps, lease, over: null, lease is null ? Keeping.LocalUntilSeen : Keeping.Both).ConfigureAwait(false);
    }

    private async Task GetSingleAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            (T value, CacheSource source) = await engine.FlyAsync(key, options, tags, ValueFactory.Of((key, factory), MakeOneAsync), cancellationToken, isShared: false).ConfigureAwait(false);
            if (source != CacheSource.None)
            {
                lock (_values)
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

    private static async ValueTask<IReadOnlyDictionary<string, T>> MakeManyAsync((string[] Keys, Func<IReadOnlyList<string>, CancellationToken, ValueTask<IReadOnlyDictionary<string, T>>> Factory) state, CancellationToken cancellationToken)
        => await state.Factory(state.Keys, cancellationToken).ConfigureAwait(false) ?? throw new InvalidOperationException("The factory gave null in place of the values by key.");

    private static async ValueTask<T> MakeOneAsync((string Key, Func<IReadOnlyList<string>, CancellationToken, ValueTask<IReadOnlyDictionary<string, T>>> Factory) state, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, T> made = await state.Factory([state.Key], cancellationToken).ConfigureAwait(false);
        return made is not null && made.TryGetValue(state.Key, out T? value) ? value : throw new LeftOutException();
    }
}

/// <summary>A batch's factory has left a key out.</summary>
internal sealed class LeftOutException() : Exception("The factory of a batch gave no value for this key.");
