using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The knowledge of this process about one tag: its version, and since when. The version only ever moves to one that was not seen before:
/// one that has been superseded is never believed again, whatever server brings it back.
/// </summary>
internal sealed class TagState(byte[] wireKey, IClusterNode? node)
{
    /// <summary>How many superseded versions are remembered, and how many that were not the cluster's.</summary>
    private const int MaximumDead = 16;

    private readonly Lock _lock = new();
    private readonly Queue<TagVersion> _dead = new();
    private readonly Queue<(TagVersion Version, long At)> _refuted = new();
    private TagVersion? _current;
    private Task? _refreshing;
    private Task _delivering = Task.CompletedTask;
    private Task? _waitingToDeliver;
    private long _readAt = long.MinValue;
    private long? _extendedAt;
    private int _epoch;
    private int _refreshesBegun;
    private bool _isPending;
    private bool _wasSent;
    private bool _isProvisional;
    private bool _isRetired;
    private bool _isAnswered;

    /// <summary>The tag's key in the cluster.</summary>
    public byte[] WireKey => wireKey;

    /// <summary>The node that it is kept on, where that is not the key's own.</summary>
    public IClusterNode? Node => node;

    /// <summary>The version that entries must have, or null while none is known.</summary>
    public TagVersion? Current => Volatile.Read(ref _current);

    /// <summary>The moment from which on the version is known to be right: before its read was sent.</summary>
    public long ReadAt => Volatile.Read(ref _readAt);

    /// <summary>An invalidation has not reached the cluster.</summary>
    public bool IsPending => Volatile.Read(ref _isPending);

    /// <summary>The version is this process's own, because none could be read.</summary>
    public bool IsProvisional => Volatile.Read(ref _isProvisional);

    /// <summary>Changes with each invalidation by this process: what was read before is not to be believed after.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    /// <summary>How many refreshes have begun so far.</summary>
    public int RefreshesBegun => Volatile.Read(ref _refreshesBegun);

    /// <summary>The tag has been forgotten.</summary>
    public bool IsRetired => Volatile.Read(ref _isRetired);

    /// <summary>A version is the one that entries must have.</summary>
    public bool IsCurrent(TagVersion version)
    {
        TagVersion? current = Current;
        return ReferenceEquals(current, version) || version.Equals(current);
    }

    /// <summary>
    /// An entry's version is known to be over: it was replaced, or an entry had it before <paramref name="since"/> and the
    /// cluster had not. What may still be on its way to the server is not.
    /// </summary>
    public bool IsSuperseded(TagVersion version, long since)
    {
        lock (_lock)
        {
            return _dead.Contains(version) || _refuted.Any(refuted => refuted.At < since && version.Equals(refuted.Version));
        }
    }

    /// <summary>
    /// The cluster's answer to the last question is another version than an entry's, which is remembered; false where there
    /// was no answer.
    /// </summary>
    public bool Refutes(TagVersion version, long now)
    {
        lock (_lock)
        {
            if (_isRetired || version.Equals(_current))
            {
                return false;
            }

            if (_isAnswered && !_dead.Contains(version) && !_refuted.Any(refuted => version.Equals(refuted.Version)))
            {
                _refuted.Enqueue((version, now));
                if (_refuted.Count > MaximumDead)
                {
                    _refuted.Dequeue();
                }
            }

            return _isAnswered || _dead.Contains(version);
        }
    }

    /// <summary>
    /// This process has not given the version its whole time to live within the last day. For a server that does not tell what is
    /// left of it.
    /// </summary>
    public bool TryBeginExtension(TimeProvider clock)
    {
        lock (_lock)
        {
            bool isDue = _extendedAt is not { } at || clock.GetElapsedTime(at) >= TimeSpan.FromDays(1);
            _extendedAt = isDue ? clock.GetTimestamp() : _extendedAt;
            return isDue;
        }
    }

    /// <summary>Invalidates: from here on only entries with the new version are right.</summary>
    public void Invalidate(TagVersion version, long now)
    {
        lock (_lock)
        {
            Supersede_NeedsLock();
            _epoch++;
            Volatile.Write(ref _current, version);
            Volatile.Write(ref _isProvisional, false);
            Volatile.Write(ref _isPending, true);
            Volatile.Write(ref _readAt, now);
            _wasSent = false;
        }
    }

    /// <summary>
    /// Makes all that carries this tag invalid for ever, because the tag is going to be forgotten. So is all that is given its
    /// version from now on: that is one which nobody has, see <see cref="StampVersion"/>.
    /// </summary>
    public void Retire(TagVersion version)
    {
        lock (_lock)
        {
            _epoch++;
            Volatile.Write(ref _isRetired, true);
            Volatile.Write(ref _current, version);
            Volatile.Write(ref _isProvisional, false);
            Volatile.Write(ref _isPending, false);
            Volatile.Write(ref _readAt, long.MaxValue);
        }
    }

    /// <summary>
    /// The version for an entry that is about to be made; null where none is known or the tag has been forgotten, and the entry
    /// gets a version that is never right.
    /// </summary>
    public TagVersion? StampVersion
    {
        get
        {
            // In this order: a version that was put in place by retiring is seen with the mark.
            TagVersion? current = Current;
            return current is null || Volatile.Read(ref _isRetired) ? null : current;
        }
    }

    /// <summary>
    /// Begins the delivery that has waited: gives what is to be stored in order to deliver the invalidation; null if it
    /// has been. A version that was sent before and not answered is never sent again: it may have arrived, and another
    /// process may have put a newer one in its place since.
    /// </summary>
    public (TagVersion Version, int Epoch)? BeginDelivery(TagVersion next)
    {
        lock (_lock)
        {
            _waitingToDeliver = null;
            if (!_isPending || _current is null)
            {
                return null;
            }

            TagVersion version = _wasSent ? next : _current;
            _wasSent = true;
            return (version, _epoch);
        }
    }

    /// <summary>
    /// The invalidation has reached the cluster, unless there has been another; entries must have the version that did from here
    /// on.
    /// </summary>
    public void NoteDelivered(TagVersion version, int epoch, long sentAt)
    {
        lock (_lock)
        {
            if (epoch == _epoch)
            {
                if (!version.Equals(_current))
                {
                    Supersede_NeedsLock();
                    Volatile.Write(ref _current, version);
                }

                Volatile.Write(ref _isPending, false);
                Volatile.Write(ref _readAt, sentAt);
                _isAnswered = true;
            }
        }
    }

    /// <summary>A version that is to be replaced, and must not be believed should it come back.</summary>
    public void NoteDead(TagVersion version)
    {
        lock (_lock)
        {
            if (!version.Equals(_current))
            {
                Remember_NeedsLock(version);
            }
        }
    }

    /// <summary>
    /// Takes over a version that the cluster has; false if it must not be believed, or this process has invalidated the tag
    /// meanwhile.
    /// </summary>
    public bool TryAccept(TagVersion version, long sentAt, int epoch)
    {
        lock (_lock)
        {
            if (epoch != _epoch || _isRetired || _dead.Contains(version))
            {
                return false;
            }

            if (!version.Equals(_current))
            {
                Supersede_NeedsLock();
                Volatile.Write(ref _current, version);
            }

            Volatile.Write(ref _isProvisional, false);
            Volatile.Write(ref _readAt, sentAt);
            _isAnswered = true;
            return true;
        }
    }

    /// <summary>The cluster gave no answer: the last version goes on, or one of this process's own begins.</summary>
    public void NoteUnanswered(TagVersion provisional, long now)
    {
        lock (_lock)
        {
            if (_current is null)
            {
                Volatile.Write(ref _current, provisional);
                Volatile.Write(ref _isProvisional, true);
            }

            Volatile.Write(ref _readAt, Math.Max(now, _readAt));
            _isAnswered = false;
        }
    }

    /// <summary>
    /// Joins the refresh that is under way, or begins one, which the caller has to run and then to end by completing
    /// the source.
    /// </summary>
    /// <param name="mine">What the caller has to complete; null where another caller has begun the refresh.</param>
    /// <param name="since">How many refreshes had begun when the caller looked: one that has begun since will do, also
    /// if it has ended.</param>
    public Task JoinRefresh(out TaskCompletionSource? mine, int since = -1)
    {
        lock (_lock)
        {
            if (_refreshing is { } last && (!last.IsCompleted || (since >= 0 && _refreshesBegun != since)))
            {
                mine = null;
                return last;
            }

            mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _refreshing = mine.Task;
            _refreshesBegun++;
            return mine.Task;
        }
    }

    /// <summary>
    /// Joins the delivery that waits for the one under way, or begins one, which the caller has to run after that and
    /// then to end by completing the source: what is sent later arrives later. A delivery that has not begun yet will
    /// deliver the newest version there is, and serves for all who ask meanwhile.
    /// </summary>
    /// <param name="mine">What the caller has to complete; null where another caller has begun the delivery.</param>
    /// <param name="before">The delivery under way.</param>
    public Task JoinDelivery(out TaskCompletionSource? mine, out Task before)
    {
        lock (_lock)
        {
            before = _delivering;
            if (_waitingToDeliver is { } waiting)
            {
                mine = null;
                return waiting;
            }

            mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _delivering = _waitingToDeliver = mine.Task;
        }
    }

    private void Supersede_NeedsLock()
    {
        if (_current is { } old && !_isProvisional)
        {
            Remember_NeedsLock(old);
        }
    }

    private void Remember_NeedsLock(TagVersion version)
    {
        if (!_dead.Contains(version))
        {
            _dead.Enqueue(version);
            if (_dead.Count > MaximumDead)
            {
                _dead.Dequeue();
            }
        }
    }
}
