#pragma warning disable CA2012 // Each is consumed once, after its reply was read.
using System.Text;
using BenchmarkDotNet.Attributes;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Micro;

/// <summary>A receive of sixteen replies, from its bytes to the results in their callers' hands; figures are per reply.</summary>
[MemoryDiagnoser]
public class ReplyReaderBenchmarks
{
    private const int Replies = 16;
    private readonly PendingQueue _queue = new();
    private readonly ValueTask<OperationResult>[] _results = new ValueTask<OperationResult>[Replies];
    private ReplyReader _reader = null!;
    private byte[] _received = [];

    [Params(100, 1024)]
    public int Size { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _reader = new ReplyReader(_queue, EntryFormat.HasPrefix, new Owner());
        string value = new('x', Size);
        _received = Encoding.Latin1.GetBytes(string.Concat(Enumerable.Range(0, Replies).Select(i => $"VA {Size} f0 t1199 O{i}\r\n{value}\r\n")));
    }

    [GlobalCleanup]
    public void Cleanup() => _reader.Dispose();

    [Benchmark(OperationsPerInvoke = Replies)]
    public int Hits()
    {
        for (int i = 0; i < Replies; i++)
        {
            PendingOperation operation = PendingOperation.Rent(_queue, OperationKind.Get, ValueTarget.OwnArray, CallMode.Async, 0);
            operation.Sequence = (uint)i;
            _queue.Enqueue_NeedsLock(operation);
            _results[i] = operation.AsValueTask(CancellationToken.None);
        }

        _received.CopyTo(_reader.GetMemory());
        if (_reader.Advance(_received.Length) is { } violation)
        {
            throw new InvalidOperationException(violation);
        }

        int bytes = 0;
        foreach (ValueTask<OperationResult> result in _results)
        {
            bytes += result.Result.Length;
        }

        return bytes;
    }

    /// <summary>A node of which every item may be read.</summary>
    private sealed class Owner : IConnectionOwner
    {
        public NodeCounters Counters { get; } = new("server");

        public LargeValues LargeValues { get; } = new();

        public long LastUncertainVersion => 0;

        public bool Admits(ulong cas) => true;

        public void RecordUncertain(ReadOnlySpan<byte> key, bool mayOvertakeRemoval, long settledBy)
        {
        }

        public void Settle(ReadOnlySpan<byte> key, long begunAt, long connection)
        {
        }

        public void OnOpened()
        {
        }

        public void OnEnding(ConnectionEnd end)
        {
        }

        public void OnEnded(ConnectionEnd end)
        {
        }
    }
}
