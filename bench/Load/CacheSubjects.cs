#pragma warning disable CA1859 // Calls through the interface are what is measured.
using System.Buffers;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Load;

/// <summary>How entries of a subject expire.</summary>
internal enum Expiry
{
    /// <summary>By the cache's default: no header.</summary>
    Default,

    /// <summary>At a deadline: a header of 8 bytes.</summary>
    Absolute,

    /// <summary>By a window: reads move it once a second.</summary>
    Sliding,
}

/// <summary>How the cache of a subject is made.</summary>
internal sealed record CacheSetup(Way Way, int Connections, Resilience Resilience, Watched Watched)
{
    /// <summary>The cache's options.</summary>
    public MemcachedCacheOptions Options
    {
        get
        {
            var options = new MemcachedCacheOptions { FailureMode = MemcachedFailureMode.Throw, ConnectionsPerNode = Connections };
            Way.Apply(options);
            if (Resilience == Resilience.Off)
            {
                // Whatever is kept ready for a failure and can be left out: the comparison shows its price while nothing fails.
                options.MaximumUncertainKeys = 0;
                options.MaximumRetries = 0;
                options.Failover = MemcachedFailover.None;
            }

            return options;
        }
    }
}

/// <summary>What the subjects on the product have in common: each has a cache of its own, unless it is given another one's.</summary>
internal abstract class CacheSubject(string name, CacheSetup setup, Expiry expiry, MemcachedCache? shared = null) : Subject(name, setup.Way)
{
    protected MemcachedCache Cache { get; } = shared ?? new(setup.Options, setup.Watched == Watched.Logged ? new NoteTaker() : null);

    protected string[] Keys { get; private set; } = [];

    protected byte[][] Values { get; private set; } = [];

    protected DistributedCacheEntryOptions EntryOptions { get; } = expiry switch
    {
        Expiry.Absolute => new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(20) },
        Expiry.Sliding => new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(20) },
        _ => new DistributedCacheEntryOptions(),
    };

    /// <inheritdoc/>
    public override async Task PrepareAsync(Workload workload, CancellationToken cancellationToken)
    {
        Keys = workload.Keys(Name.Replace(' ', '-').Replace(",", ""));
        Values = workload.Values;
        for (int key = 0; key < Keys.Length; key++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await Cache.SetAsync(Keys[key], Values[key], EntryOptions, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public override IDisposable? Watch() => setup.Watched == Watched.Measured ? new MetricsListener() : null;

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => shared is null ? Cache.DisposeAsync() : default;
}

/// <summary>Through <see cref="IDistributedCache"/>.</summary>
internal sealed class DistributedSubject(string name, CacheSetup setup, Expiry expiry, DistributedSubject? sharesCacheOf = null)
    : CacheSubject(name, setup, expiry, sharesCacheOf?.Cache)
{
    /// <inheritdoc/>
    public override async Task RunAsync(Caller caller)
    {
        IDistributedCache cache = Cache;
        while (caller.Next(out int key, out bool isSet))
        {
            try
            {
                if (isSet)
                {
                    await cache.SetAsync(Keys[key], Values[key], EntryOptions);
                }
                else
                {
                    byte[]? value = await cache.GetAsync(Keys[key]);
                    caller.Check(key, value, value is not null);
                }
            }
            catch (Exception exception)
            {
                caller.Fail(exception);
            }

            caller.Done();
        }
    }
}

/// <summary>Through <see cref="IBufferDistributedCache"/>; each caller has one writer.</summary>
internal sealed class BufferSubject(string name, CacheSetup setup) : CacheSubject(name, setup, Expiry.Default)
{
    /// <inheritdoc/>
    public override async Task RunAsync(Caller caller)
    {
        IBufferDistributedCache cache = Cache;
        var writer = new ArrayBufferWriter<byte>(1024);
        while (caller.Next(out int key, out bool isSet))
        {
            try
            {
                if (isSet)
                {
                    await cache.SetAsync(Keys[key], new ReadOnlySequence<byte>(Values[key]), EntryOptions);
                }
                else
                {
                    writer.ResetWrittenCount();
                    bool found = await cache.TryGetAsync(Keys[key], writer);
                    caller.Check(key, writer.WrittenSpan, found);
                }
            }
            catch (Exception exception)
            {
                caller.Fail(exception);
            }

            caller.Done();
        }
    }
}

/// <summary>The synchronous methods, each caller on a thread of its own that blocks: the pool has nothing to do with it.</summary>
internal sealed class SyncSubject(string name, CacheSetup setup) : CacheSubject(name, setup, Expiry.Default)
{
    private const int StackSize = 256 * 1024;

    /// <inheritdoc/>
    public override Task RunAsync(Caller caller)
    {
        var finished = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            Run(caller);
            finished.SetResult();
        }, StackSize) { IsBackground = true };
        thread.UnsafeStart();
        return finished.Task;
    }

    private void Run(Caller caller)
    {
        IDistributedCache cache = Cache;
        while (caller.Next(out int key, out bool isSet))
        {
            try
            {
                if (isSet)
                {
                    cache.Set(Keys[key], Values[key], EntryOptions);
                }
                else
                {
                    byte[]? value = cache.Get(Keys[key]);
                    caller.Check(key, value, value is not null);
                }
            }
            catch (Exception exception)
            {
                caller.Fail(exception);
            }

            caller.Done();
        }
    }
}
