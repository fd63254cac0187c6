using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Many keys at once. Those that are missing are asked for together, so many at a time as leave room in the queues of the connections; those whose lease is won, or of
/// which nothing can be known, are made by one run of the factory. What another process makes is asked for again, all of it together; what it gives up is made by one
/// more run. Only an expired entry that may still be of use goes the way of a single key.
/// </summary>
#pragma warning disable CA1001 // The semaphore has no wait handle, so there is nothing to free; a lease may be about to give it back.
internal sealed class Batch<T>(HybridEngine engine, CallOptions options, IReadOnlyList<string> tags, Func<IReadOnlyList<string>, CancellationToken, ValueTask<IReadOnlyDictionary<string, T>>> factory)
#pragma warning restore CA1001
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    /// <summary>What each key that is waited for adds to the longest pause: asking takes time as well.</summary>
    private static readonly TimeSpan PauseOfEach = TimeSpan.FromMicroseconds(10);

    private readonly Dictionary<string, T> _values = new(StringComparer.Ordinal);
    private readonly List<string> _single = [];
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _renewals = new(engine.Settings.MaximumFanOut);
    private readonly ValueCodec<T> _codec = engine.Codecs.Of<T>();
    private readonly CallOptions _options = engine.Codecs.Of<T>().IsRefused ? options.OutOfTheCluster() : options;
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
            if (engine.TryGetLocal<T>(key, _options, out T? value, out _))
            {
                _values[key] = value;
            }
            else
            {
                (!engine.IsUsable(key) ? unusable : _options.MayReadLocal && engine.Local.Find(key) is not null ? copies : asked).Add(key);
            }
        }

        if (FactoryScope.Current is { } scope)
        {
            // A batch within a batch of the same kind, for a key that the outer one makes, would go on for ever.
            _held = [.. asked.Concat(copies).Concat(unusable).Where(key => scope.Holds(engine, KeyOf(key), FactoryKind.Batch))];
        }

        await FanOut.RunAsync(copies, engine.Settings.MaximumFanOut, key => ConfirmAsync(key, asked, cancellationToken)).ConfigureAwait(false);
        if (_options.MayCreate)
        {
            await AskAllAsync(asked, unusable, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            _single.AddRange(asked);
        }

        await FanOut.RunAsync(_single, engine.Settings.MaximumFanOut, key => GetSingleAsync(key, cancellationToken)).ConfigureAwait(false);
        return _values;
    }

    /// <summary>Serves the local copy or the entry in its place, if there is one; a key that has neither is asked for with the others.</summary>
    private async Task ConfirmAsync(string key, List<string> asked, CancellationToken cancellationToken)
    {
        CallOptions only = _options with { Flags = _options.Flags | HybridCacheEntryFlags.DisableUnderlyingData };
        (T value, CacheSource source) = await engine.GetOrCreateAsync(key, only, tags, default(ValueFactory<int, T>), cancellationToken, isShared: false).ConfigureAwait(false);
        lock (_lock)
        {
            switch (source)
            {
                case CacheSource.None:
                    asked.Add(key);
                    break;
                case CacheSource.Stale when _options.MayCreate:
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
        List<BatchItem> asked = keys.ConvertAll(NewItem);
        _tagsKnown = asked.Count == 0 ? Task.CompletedTask : engine.Tags.EnsureAsync([.. asked.SelectMany(static item => item.Call.Tags).Distinct()]);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, engine.Disposed);
        cancellationToken = ending.Token;
        long waitingSince = 0;
        for (TimeSpan pause = FirstPause; asked.Count + unusable.Count > 0;)
        {
            List<BatchItem> make = [];
            List<BatchItem> wait = [];
            try
            {
                await FanOut.RunAsync(asked, engine.Settings.MaximumFanOut, item => AskAsync(item, make, wait)).ConfigureAwait(false);
            }
            catch
            {
                await ReleaseAsync(make).ConfigureAwait(false);
                throw;
            }

            await MakeAsync(make, unusable, cancellationToken).ConfigureAwait(false);
            unusable = [];
            asked = wait;
            if (wait.Count == 0)
            {
                return;
            }

            long now = engine.IoTime.GetTimestamp();
            if (waitingSince == 0)
            {
                waitingSince = now;
                wait.ForEach(_ => engine.Counters.Add(HybridEvent.LeaseWaited));
            }

            if (engine.IoTime.GetElapsedTime(waitingSince, now) >= engine.Settings.MaximumLeaseWait)
            {
                wait.ForEach(static item => item.StoreTarget = StoreTarget.None);
                await MakeAsync(wait, unusable, cancellationToken).ConfigureAwait(false);
                return;
            }

#pragma warning disable CA5394 // Spreads those who wait.
            await Task.Delay(pause * (0.75 + (Random.Shared.NextDouble() / 2)), engine.IoTime, cancellationToken).ConfigureAwait(false);
#pragma warning restore CA5394
            TimeSpan longest = LongestPause + (PauseOfEach * wait.Count);
            pause = pause * 2 < longest ? pause * 2 : longest;
        }
    }

    private BatchItem NewItem(string key)
    {
        byte[] wireKey = engine.Keys.Encode(key, HybridSpace.Entry);
        return new BatchItem(new Call(key, wireKey, _options, engine.Tags.Resolve(tags, wireKey), engine.Local.VersionOf(key)));
    }

    private async Task AskAsync(BatchItem item, List<BatchItem> make, List<BatchItem> wait)
    {
        BatchStep step = await AskAsync(item).ConfigureAwait(false);
        lock (_lock)
        {
            switch (step)
            {
                case BatchStep.Make:
                    make.Add(item);
                    break;
                case BatchStep.Wait when _held?.Contains(item.Call.Key) == true:
                    item.StoreTarget = StoreTarget.None;
                    make.Add(item);
                    break;
                case BatchStep.Wait:
                    wait.Add(item);
                    break;
                case BatchStep.Single:
                    _single.Add(item.Call.Key);
                    break;
            }
        }
    }

    /// <summary>Asks the cluster for one key, and to be told to make it, as far as the caller's flags allow.</summary>
    private async ValueTask<BatchStep> AskAsync(BatchItem item)
    {
        Call call = item.Call;
        while (_options.MayReadRemote || _options.MayWriteRemote)
        {
            RemoteRead read = _options.MayWriteRemote
                ? await engine.Remote.LeaseAsync(call.WireKey, _options.MayReadRemote).ConfigureAwait(false)
                : await engine.Remote.GetAsync(call.WireKey).ConfigureAwait(false);
            await _tagsKnown.ConfigureAwait(false);
            switch (read.State)
            {
                case RemoteState.Won:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    item.Lease = read.Lease!;
                    item.Lease.Begin(_renewals); // Others of the batch may take their time.
                    item.StoreTarget = StoreTarget.Both;
                    return BatchStep.Make;

                case RemoteState.Absent:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    item.StoreTarget = StoreTarget.Local;
                    return BatchStep.Make;

                case RemoteState.Unavailable when engine.Settings.Retention > TimeSpan.Zero && engine.Local.Find(call.Key) is not null:
                    return BatchStep.Single; // The local copy may be served in place of a factory that fails.

                case RemoteState.Unavailable:
                    item.StoreTarget = _options.MayWriteRemote ? StoreTarget.LocalUntilSeen : StoreTarget.Local;
                    return BatchStep.Make;

                case RemoteState.Taken when _options.MayReadRemote:
                    return BatchStep.Wait;

                case RemoteState.Taken:
                case RemoteState.Unread when read.MayBeReplaced:
                    item.Over = read.CasToken;
                    item.StoreTarget = StoreTarget.Both;
                    return BatchStep.Make;

                case RemoteState.Entry when await TryTakeAsync(item, read).ConfigureAwait(false) is { } step:
                    return step;
            }

            // What is there is of no use. It is removed to make place for the lease.
            engine.Counters.Add(HybridEvent.RemoteMiss);
            if (!_options.MayWriteRemote || ++item.Discards > RemoteCache.MaximumDiscards)
            {
                item.StoreTarget = _options.MayWriteRemote ? StoreTarget.None : StoreTarget.Local;
                return BatchStep.Make;
            }

            _ = engine.Remote.Discard(call.WireKey, read.CasToken);
        }

        item.StoreTarget = StoreTarget.Local;
        return BatchStep.Make;
    }

    /// <summary>Takes an entry's value; null if the entry is of no use to anybody.</summary>
    private async ValueTask<BatchStep?> TryTakeAsync(BatchItem item, RemoteRead read)
    {
        Call call = item.Call;
        CachedEntry entry = read.Entry!;
        TagCheck check = await engine.Tags.CheckReadAsync(entry.Tags).ConfigureAwait(false);
        if (check is not (TagCheck.Valid or TagCheck.Invalid))
        {
            return BatchStep.Single;
        }

        bool isExpired = entry.ExpiresAt <= engine.Time.GetUtcNow().ToUnixTimeMilliseconds();
        if (check == TagCheck.Valid && entry.Kind == PayloadKind.Elsewhere && !isExpired)
        {
            // The value is too large for the cluster: each process makes its own.
            engine.Counters.Add(HybridEvent.RemoteMiss);
            item.Over = read.CasToken;
            item.StoreTarget = _options.MayWriteRemote ? StoreTarget.Marked : StoreTarget.Local;
            return BatchStep.Make;
        }

        if (check == TagCheck.Valid && isExpired && engine.Settings.Retention > TimeSpan.Zero)
        {
            return BatchStep.Single;
        }

        if (check == TagCheck.Invalid || isExpired || !engine.TryRead<T>(call.Key, entry, out T? value))
        {
            return null;
        }

        engine.Counters.Add(HybridEvent.RemoteHit);
        engine.Writer.KeepRead(call, read, value, _codec);
        Give(call.Key, value);
        return BatchStep.Done;
    }

    private async Task MakeAsync(List<BatchItem> items, List<string> unusable, CancellationToken cancellationToken)
    {
        string[] keys = [.. items.Select(static item => item.Call.Key), .. unusable];
        if (keys.Length == 0)
        {
            return;
        }

        IReadOnlyDictionary<string, T> made;
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            items.ForEach(item => item.Stamps = TagTracker.Capture(item.Call.Tags, () => TagVersion.Create(engine.Time)));
            made = await InvokeAsync(keys, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            engine.Factories.NoteFailed(exception, cancellationToken);
            await ReleaseAsync(items).ConfigureAwait(false);
            throw;
        }

        await FanOut.RunAsync(items, engine.Settings.MaximumStoreFanOut, item => KeepAsync(item, made)).ConfigureAwait(false);
        foreach (string key in keys)
        {
            if (made.TryGetValue(key, out T? value))
            {
                Give(key, value);
            }
        }
    }

    private async ValueTask<IReadOnlyDictionary<string, T>> InvokeAsync(string[] keys, CancellationToken cancellationToken)
    {
        using var scope = FactoryScope.Enter(engine, KeyOf(keys[0]), keys);
        return await engine.Factories.RunAsync(ValueFactory.Of((keys, factory), MakeManyAsync), context: null, cancellationToken).ConfigureAwait(false);
    }

    private SingleFlightKey KeyOf(string key) => new(key, _options.Distinct, typeof(T));

    private async Task KeepAsync(BatchItem item, IReadOnlyDictionary<string, T> made)
    {
        try
        {
            if (made.TryGetValue(item.Call.Key, out T? value))
            {
                await FactoryRunner.KeepAsync(engine, item.Call, _codec, value, item.Stamps, item.Lease, item.Over, item.StoreTarget).ConfigureAwait(false);
                return;
            }
        }
        catch
        {
            // The dictionary is the application's, and may throw.
            await FactoryRunner.ReleaseAsync(item.Lease).ConfigureAwait(false);
            throw;
        }

        await FactoryRunner.ReleaseAsync(item.Lease).ConfigureAwait(false);
    }

    private Task ReleaseAsync(List<BatchItem> items) => FanOut.RunAsync(items, engine.Settings.MaximumFanOut, static item => FactoryRunner.ReleaseAsync(item.Lease));

    private void Give(string key, T value)
    {
        lock (_lock)
        {
            _values[key] = value;
        }
    }

    private async Task GetSingleAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            (T value, CacheSource source) = await engine.GetOrCreateAsync(key, _options, tags, ValueFactory.Of((key, factory), MakeOneAsync), cancellationToken, isShared: false).ConfigureAwait(false);
            if (source != CacheSource.None)
            {
                Give(key, value);
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
