using MemcachedDistributedCache.Vocabulary;
namespace MemcachedDistributedCache.Connections;

/// <summary>
/// The operations whose replies are still to come, in wire order. One producer at a time (whoever holds the connection's write
/// lock), one consumer (the read loop), and a time-out scanner that may look at any time and takes nothing out.
/// </summary>
internal sealed class PendingQueue
{
    private const int SegmentLength = 256;

    private Segment _head;
    private Segment _tail;
    private Segment? _spare;
    private int _headIndex;
    private int _tailIndex;
    private long _enqueued;
    private long _dequeued;

    public PendingQueue()
    {
        _head = new Segment();
        _tail = _head;
    }

    /// <summary>How many replies are awaited.</summary>
    public int Count => (int)Math.Max(0, Volatile.Read(ref _enqueued) - Volatile.Read(ref _dequeued));

    /// <summary>How many operations have been taken since the beginning.</summary>
    public long Dequeued => Volatile.Read(ref _dequeued);

    /// <summary>Adds an operation; the caller holds the write lock.</summary>
    public void Enqueue_NeedsLock(PendingOperation operation)
    {
        if (_tailIndex == SegmentLength)
        {
            Segment next = Interlocked.Exchange(ref _spare, null) ?? new Segment();
            Volatile.Write(ref _tail.Next, next);
            _tail = next;
            _tailIndex = 0;
        }

        Volatile.Write(ref _tail.Items[_tailIndex++], operation);
        Volatile.Write(ref _enqueued, _enqueued + 1);
    }

    /// <summary>The oldest operation, which stays where it is; for the read loop only.</summary>
    public PendingOperation? Peek()
    {
        if (_headIndex == SegmentLength)
        {
            if (Volatile.Read(ref _head.Next) is not { } next)
            {
                return null;
            }

            // The emptied segment serves again; a time-out scanner that still looks at it sees operations in another order, and
            // each is judged by its own deadline and version.
            Segment empty = _head;
            Volatile.Write(ref _head, next);
            _headIndex = 0;
            empty.Next = null;
            Volatile.Write(ref _spare, empty);
        }

        return Volatile.Read(ref _head.Items[_headIndex]);
    }

    /// <summary>The operation that so many come before; for the read loop only. It walks, and is for the rare case.</summary>
    public PendingOperation? Peek(int index)
    {
        if (Peek() is null || index >= Count)
        {
            return null;
        }

        Segment? segment = _head;
        for (index += _headIndex; segment is not null && index >= SegmentLength; index -= SegmentLength)
        {
            segment = Volatile.Read(ref segment.Next);
        }

        return segment is null ? null : Volatile.Read(ref segment.Items[index]);
    }

    /// <summary>Takes the oldest operation; for the read loop only.</summary>
    public PendingOperation? Dequeue()
    {
        PendingOperation? operation = Peek();
        if (operation is not null)
        {
            _head.Items[_headIndex++] = null;
            Volatile.Write(ref _dequeued, _dequeued + 1);
        }

        return operation;
    }

    /// <summary>Looks at all that are awaited; for the read loop only.</summary>
    public void ForEach(Action<PendingOperation> action)
    {
        int left = Count;
        for (Segment? segment = _head; segment is not null && left > 0; segment = Volatile.Read(ref segment.Next))
        {
            for (int i = 0; i < SegmentLength && left > 0; i++)
            {
                if (Volatile.Read(ref segment.Items[i]) is { } operation)
                {
                    left--;
                    action(operation);
                }
            }
        }
    }

    /// <summary>
    /// Times out what is past its deadline, oldest first, and stops at the first operation that is not. Operations of one
    /// connection share one limit, so those behind it are not either.
    /// </summary>
    /// <param name="now">The tick.</param>
    /// <param name="timedOut">The result of those.</param>
    /// <param name="timingOut">Called for each of them that is a change, before its caller has the result.</param>
    /// <returns>How many timed out, and the tick at which the oldest awaited operation was sent.</returns>
    public (int TimedOut, int? OldestTick) Scan(int now, OperationResult timedOut, Action<PendingOperation>? timingOut = null)
    {
        int count = 0;
        int? oldest = null;
        int left = Count;
        for (Segment? segment = Volatile.Read(ref _head); segment is not null && left > 0; segment = Volatile.Read(ref segment.Next))
        {
            for (int i = 0; i < SegmentLength && left > 0; i++)
            {
                if (Volatile.Read(ref segment.Items[i]) is not { } operation)
                {
                    continue;
                }

                left--;
                PendingOperation.Expiry expiry = operation.TryExpire(this, now, timedOut, timingOut, out int startedAt);
                oldest ??= startedAt;
                if (expiry == PendingOperation.Expiry.NotDue)
                {
                    return (count, oldest);
                }

                count += expiry == PendingOperation.Expiry.TimedOut ? 1 : 0;
            }
        }

        return (count, oldest);
    }

    private sealed class Segment
    {
        public readonly PendingOperation?[] Items = new PendingOperation?[SegmentLength];
        public Segment? Next;
    }
}
