namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Lets the requests that one thread makes one after the other go out in one send to each connection. A connection that has no sender
/// gives the turn to the cork instead of sending, and sends at <see cref="Pull"/>. No lock is held meanwhile, and nobody is kept
/// waiting: whoever else asks of a corked connection takes the turn and sends all that is there, and so does the thread itself once the
/// cork is older than <see cref="LongestHold"/>. A list of the requests instead would hold each of them twice.
/// </summary>
internal sealed class Cork
{
    /// <summary>Longer than it takes to write any window of requests.</summary>
    private static readonly TimeSpan LongestHold = TimeSpan.FromMilliseconds(100);

    [ThreadStatic]
    private static Cork? _ofThisThread;

    private readonly List<ICorked> _corked = [];
    private long _since;
    private bool _isSet;

    /// <summary>The cork that is set on this thread and not too old; null mostly.</summary>
    public static Cork? Current => _ofThisThread is { _isSet: true, IsTooOld: false } cork ? cork : null;

    /// <summary>It was forgotten, or what its thread does in between takes long: nobody waits for it any more.</summary>
    public bool IsTooOld => TimeProvider.System.GetElapsedTime(_since) > LongestHold;

    /// <summary>Sets the cork of this thread; null where it is set already, for whoever sets it pulls it.</summary>
    public static Cork? Set()
    {
        Cork cork = _ofThisThread ??= new Cork();
        if (cork is { _isSet: true, IsTooOld: false })
        {
            return null;
        }

        // One that was forgotten has still something to send.
        cork.Pull();
        cork._since = TimeProvider.System.GetTimestamp();
        cork._isSet = true;
        return cork;
    }

    /// <summary>Notes a connection's sender, whose turn this thread's cork has been given.</summary>
    public static void Add(ICorked sender) => _ofThisThread!._corked.Add(sender);

    /// <summary>Sends what has gathered.</summary>
    public void Pull()
    {
        _isSet = false;
        foreach (ICorked sender in _corked)
        {
            sender.Uncork(this);
        }

        _corked.Clear();
    }
}

/// <summary>Something that a cork holds back.</summary>
internal interface ICorked
{
    /// <summary>The cork is pulled: what has gathered is to be sent, unless somebody else does.</summary>
    void Uncork(Cork cork);
}
