using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Telemetry;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Makes the parts of one hybrid cache, each of which is given those that it uses, and ends them in order. No part knows this.
/// </summary>
internal sealed class HybridParts : IAsyncDisposable, IDisposable
{
    /// <summary>
    /// How long the end of the cache is held up by what is under way; a server that does not answer keeps no process from ending.
    /// </summary>
    public static readonly TimeSpan ShutdownLimit = TimeSpan.FromSeconds(5);

    private readonly ICacheBackend _backend;
    private readonly HybridMetrics _metrics;
    private int _isDisposed;

    public HybridParts(
        ICacheBackend backend,
        KeyEncoder keys,
        HybridContext context,
        IServiceProvider? services = null,
        CacheTelemetry? telemetry = null)
    {
        _backend = backend;
        Context = context;
        Keys = keys;
        TagTable = new TagTable(backend, keys, context);
        Tags = new TagTracker(new TagSync(backend, context), TagTable, context);
        Codecs = new ValueCodecs(services, context.Options.VerifySerialization == true, context.Logger);
        Local = new LocalCache(context.Options, context.Time);
        Layout = new EntryLayout(keys, TagTable, context.Options.MaximumTags);
        Remote = new RemoteCache(backend, keys, Layout, context);
        Reader = new EntryReader(Local, Tags, Codecs, context);
        var calls = new Calls(keys, Tags, Local, Codecs, context);
        var writer = new EntryWriter(Remote, Local, Layout, context);
        var judge = new EntryJudge(Local, Remote, Tags, Reader, context);
        var made = new MadeValues(Remote, writer, context);
        var runs = new FactoryRuns(context.Counters, telemetry ?? CacheTelemetry.Silent, context.IoTime);
        var factories = new FactoryRunner(runs, made, Tags, context);
        var expired = new ExpiredEntries(Remote, writer, factories, new RefreshTable(context.IoTime, context.Ended), context);
        GetOrCreate = new GetOrCreateRunner(new GetOrCreateSteps(calls, judge, Remote, writer, expired, factories), Local, Tags, context);
        Batches = new BatchSteps(
            calls,
            Reader,
            new BatchReads(Remote, judge, writer, context),
            new BatchFactory(runs, made, Tags, context),
            GetOrCreate);
        Changes = new EntryChanges(calls, Tags, Remote, Local, writer, context);
        Calls = calls;
        _metrics = new HybridMetrics(context.Counters, telemetry ?? CacheTelemetry.Silent);
    }

    public HybridContext Context { get; }

    public KeyEncoder Keys { get; }

    public TagTable TagTable { get; }

    public TagTracker Tags { get; }

    public ValueCodecs Codecs { get; }

    public LocalCache Local { get; }

    public EntryLayout Layout { get; }

    public RemoteCache Remote { get; }

    public Calls Calls { get; }

    public EntryReader Reader { get; }

    public GetOrCreateRunner GetOrCreate { get; }

    public BatchSteps Batches { get; }

    public EntryChanges Changes { get; }

    /// <summary>Is told when the parts have been disposed.</summary>
    public Action<HybridParts>? WhenDisposed { get; init; }

    /// <summary>Throws after the cache has been disposed.</summary>
    /// <param name="orBelow">Whether the cache below counts too; a value of the local cache does not need it.</param>
    public void ThrowIfDisposed(bool orBelow = true)
        => HybridContext.ThrowIf(Volatile.Read(ref _isDisposed) != 0 || (orBelow && _backend.IsDisposed));

    /// <summary>
    /// Cancels factories, gives leases back and delivers what is undelivered, for <see cref="ShutdownLimit"/> at most: all that
    /// other processes would wait for, or would not hear of.
    /// </summary>
    public async Task ReleaseAsync()
    {
        Context.End();
        GetOrCreate.AbortAll();
        Task ending = Task.WhenAll(Remote.Leases.CloseAsync(), Tags.DeliverPendingAsync(), Changes.UnderWay.WhenNoneAsync());
        await ending.WaitAsync(ShutdownLimit, TimeProvider.System, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            await ReleaseAsync().ConfigureAwait(false);
            End();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            // The connections may be closed as soon as this returns.
            ReleaseAsync().Wait(ShutdownLimit);
            End();
        }
    }

    private void End()
    {
        _metrics.Dispose();
        Local.Dispose();
        WhenDisposed?.Invoke(this);
    }
}
