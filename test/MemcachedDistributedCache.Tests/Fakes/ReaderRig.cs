using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>A reply reader with a queue, fed by hand.</summary>
internal sealed class ReaderRig : IDisposable
{
    /// <summary>Client flags that announce a prefix before the value.</summary>
    public const uint Prefixed = 7;

    private uint _opaque;

    public ReaderRig(int largestKept = int.MaxValue)
        => Reader = new ReplyReader(Queue, static flags => flags == Prefixed, Owner)
        {
            LargestKept = largestKept,
            ProofNeeded = () => Barriers++,
        };

    /// <summary>How often a barrier was asked for.</summary>
    public int Barriers { get; private set; }

    public PendingQueue Queue { get; } = new();

    public FakeOwner Owner { get; } = new();

    public LargeValues LargeValues => Owner.LargeValues;

    public NodeCounters Counters => Owner.Counters;

    public ReplyReader Reader { get; }

    /// <summary>Asks; the first operation has opaque 1, the second 2, and so on.</summary>
    public ValueTask<OperationResult> Ask(
        OperationKind kind = OperationKind.Get,
        ValueTarget target = ValueTarget.OwnArray,
        uint readHash = 0,
        CancellationToken cancellationToken = default)
        => AskOperation(kind, target, readHash: readHash).AsValueTask(cancellationToken);

    /// <summary>The connection's side of the next operation.</summary>
    public PendingOperation AskOperation(
        OperationKind kind = OperationKind.Get,
        ValueTarget target = ValueTarget.OwnArray,
        int startedAt = 0,
        uint readHash = 0)
    {
        PendingOperation operation = PendingOperation.Rent(Queue, kind, target, CallMode.Async, startedAt);
        operation.Sequence = ++_opaque;
        operation.ReadHash = readHash;
        Queue.Enqueue_NeedsLock(operation);
        return operation;
    }

    /// <summary>Feeds text, byte for byte as Latin-1, at most <paramref name="step"/> bytes at a time.</summary>
    public string? Feed(string text, int step = int.MaxValue) => Feed(Encoding.Latin1.GetBytes(text), step);

    /// <summary>Feeds bytes until they are gone or a violation is found.</summary>
    public string? Feed(ReadOnlySpan<byte> bytes, int step = int.MaxValue)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> room = Reader.GetMemory().Span;
            Assert.False(room.IsEmpty);
            int count = Math.Min(Math.Min(step, room.Length), bytes.Length);
            bytes[..count].CopyTo(room);
            bytes = bytes[count..];
            if (Reader.Advance(count) is { } violation)
            {
                return violation;
            }
        }

        return null;
    }

    /// <summary>Fails what is left, as a connection's end does.</summary>
    public void End() => Reader.FailAll(operation => OperationResult.Failed(Counters.Unavailable));

    public void Dispose()
    {
        End();
        Reader.Dispose();
    }

    /// <summary>The result of an operation that must be complete by now.</summary>
    public static OperationResult Now(ValueTask<OperationResult> task)
    {
        Assert.True(task.IsCompleted, "the operation is not complete");
        return task.GetAwaiter().GetResult();
    }
}
