using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Replies without a token that came behind an error line. An error line carries no token, and a request that a server
/// could not read may draw two of them: the first is surely its request's, for all before it was in step, and what
/// comes next without a token may belong to the same request or to the one behind it. So it waits here until a reply
/// with a token, or the answer to a barrier (mn), proves how many requests had been answered by then. What does not add
/// up ends the connection, and nobody is given another's answer. Used by the read loop only.
/// </summary>
internal sealed class UnplacedReplies
{
    private readonly List<(MetaReply Reply, string? Error)> _replies = [];

    /// <summary>An error line has come since the last reply whose place was proven.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>How many wait.</summary>
    public int Count => _replies.Count;

    /// <summary>The reply that waits at a place, from 0 on, and its text if it is an error.</summary>
    public (MetaReply Reply, string? Error) this[int index] => _replies[index];

    /// <summary>An error line has come whose request is known, and may be followed by another of the same request.</summary>
    public void Open() => IsOpen = true;

    /// <summary>Adds a reply that cannot be placed yet.</summary>
    public void Add(in MetaReply reply, string? error) => _replies.Add((reply, error));

    /// <summary>A reply that proves its place proves all that wait: it is the answer to the operation behind as many.</summary>
    public bool AreProvenBy(in MetaReply reply, PendingQueue queue)
    {
        for (int i = 0; i < Count; i++)
        {
            if (queue.Peek(i) is not { } operation || !ReplyMatch.IsAnswer(operation, _replies[i].Reply))
            {
                return false;
            }
        }

        return queue.Peek(Count) is { } next && ReplyMatch.IsAnswer(next, reply);
    }

    /// <summary>All are placed, or lost.</summary>
    public void Clear()
    {
        _replies.Clear();
        IsOpen = false;
    }
}
