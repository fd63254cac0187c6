using System.Buffers;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Tests.Distributed;

/// <summary>An entry store on the model of memcached.</summary>
internal sealed class StoreRig
{
    public static readonly byte[] Value = "value"u8.ToArray();

    public StoreRig(
        MemcachedFailureMode failureMode = MemcachedFailureMode.Degrade,
        MemcachedOversizeBehavior oversize = MemcachedOversizeBehavior.Throw,
        int retries = 0,
        ManualTimeProvider? ioTime = null)
    {
        IoTime = ioTime ?? Time;
        Client = new ModelClient(IoTime);
        Store = new EntryStore(Client, new EntryStoreSettings
        {
            Namespace = "",
            DefaultTimeToLive = TimeSpan.FromMinutes(20),
            MaximumValueBytes = int.MaxValue,
            OversizeBehavior = oversize,
            FailureMode = failureMode,
        }, retries == 0 ? null : RetriesOf(retries), Time, IoTime, Log);
    }

    /// <summary>One second in all, 0.4 s an attempt, pauses from 10 ms.</summary>
    private RetryPolicy RetriesOf(int count)
        => new(
            new RetrySettings
            {
                MaximumRetries = count,
                Delay = TimeSpan.FromMilliseconds(10),
                AttemptTimeout = TimeSpan.FromMilliseconds(400),
                TotalTimeout = TimeSpan.FromSeconds(1),
            },
            IoTime);

    /// <summary>The application's clock.</summary>
    public ManualTimeProvider Time { get; } = new();

    /// <summary>The clock of the system and its servers; the application's where a test does not tell them apart.</summary>
    public ManualTimeProvider IoTime { get; }

    public ModelClient Client { get; }

    public RecordingLogger Log { get; } = new();

    public EntryStore Store { get; }

    public Task Set(DistributedCacheEntryOptions? options = null, byte[]? value = null, CancellationToken token = default)
        => Store.SetAsync("key", new ReadOnlySequence<byte>(value ?? Value), options ?? new(), CallMode.Async, token).AsTask();

    public Task<byte[]?> Get(CancellationToken token = default) => Store.GetAsync("key", CallMode.Async, token).AsTask();

    public Task Refresh(CancellationToken token = default) => Store.RefreshAsync("key", CallMode.Async, token).AsTask();

    public Task Remove(CancellationToken token = default) => Store.RemoveAsync("key", CallMode.Async, token).AsTask();

    public void Pass(double seconds) => Time.Advance(TimeSpan.FromSeconds(seconds));

    public static DistributedCacheEntryOptions Sliding(double seconds, double? absolute = null) => new()
    {
        SlidingExpiration = TimeSpan.FromSeconds(seconds),
        AbsoluteExpirationRelativeToNow = absolute is { } limit ? TimeSpan.FromSeconds(limit) : null,
    };

    public static DistributedCacheEntryOptions Absolute(double seconds) => new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(seconds) };
}
