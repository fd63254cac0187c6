using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>One connection on a fake transport and a clock that the test moves.</summary>
internal sealed class ConnectionRig : IDisposable
{
    public ConnectionRig(
        FakeFactory? factory = null,
        CallMode mode = CallMode.Async,
        TimeSpan? limit = null,
        TimeSpan? idle = null,
        int maximumPending = 1000,
        bool start = true)
    {
        Limit = limit ?? TimeSpan.FromSeconds(1);
        Factory = factory ?? new FakeFactory();
        Clock = new OperationClock(Time, Limit);
        Settings = new ConnectionSettings
        {
            Factory = Factory,
            Clock = Clock,
            HasPrefix = static flags => flags == ReaderRig.Prefixed,
            TimeProvider = Time,
            ConnectTimeout = TimeSpan.FromSeconds(2),
            IdleTimeout = idle ?? Timeout.InfiniteTimeSpan,
            MaximumPendingOperations = maximumPending,
            MaximumBufferedBytes = 1024 * 1024,
        };
        Connection = new Connection(Settings, new ServerAddress("mc1", 11211), mode, Owner);
        if (start)
        {
            Connection.Start();
        }
    }

    public ManualTimeProvider Time { get; } = new();

    public TimeSpan Limit { get; }

    public OperationClock Clock { get; }

    public ConnectionSettings Settings { get; }

    public FakeFactory Factory { get; }

    public FakeOwner Owner { get; } = new();

    /// <summary>Keys of changes without a definite answer.</summary>
    public IEnumerable<string> Lost => Owner.Uncertain.Select(static change => change.Key);

    public NodeCounters Counters => Owner.Counters;

    public Connection Connection { get; }

    public List<ConnectionEnd> Ends => Owner.Ends;

    public FakeTransport Transport => Factory.Opened[^1];

    public async Task<ConnectionRig> Opened()
    {
        Assert.Null(await Connection.Opened.WaitAsync(Eventually.Limit));
        return this;
    }

    public Task<OperationResult> Execute(OperationKind kind, CancellationToken cancellationToken = default)
    {
        Assert.True(
            Connection.TryExecute(
                new KeyRequest(kind, WireKey.Of("key"u8), 60),
                ValueTarget.OwnArray,
                cancellationToken,
                out ValueTask<OperationResult> result));
        return result.AsTask();
    }

    public Task<OperationResult> Store(byte[] value)
    {
        var request = new StoreRequest(WireKey.Of("key"u8), default, new System.Buffers.ReadOnlySequence<byte>(value), 60, 0);
        Assert.True(Connection.TryExecute(request, ValueTarget.OwnArray, CancellationToken.None, out ValueTask<OperationResult> result));
        return result.AsTask();
    }

    /// <summary>Lets time pass in ticks of the operation clock, with a scan at each.</summary>
    public int Pass(TimeSpan time)
    {
        int timedOut = 0;
        long answered = 0;
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += Clock.Interval)
        {
            Time.Advance(Clock.Interval);
            Clock.Advance();
            Connection.Scan(ref timedOut, ref answered);
        }

        return timedOut;
    }

    public void Dispose() => Connection.Break(ConnectionEndReason.Disposed, "the test is over");
}
