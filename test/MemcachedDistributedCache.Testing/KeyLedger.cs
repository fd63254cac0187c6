namespace MemcachedDistributedCache.Testing;

/// <summary>What a read gave, judged by what had been written.</summary>
public enum ReadJudgement
{
    /// <summary>A miss, or a value that may be there.</summary>
    Legal,

    /// <summary>Bytes that nobody ever wrote under the key.</summary>
    Wrong,

    /// <summary>A value older than the last write that was over before the read began.</summary>
    Stale,

    /// <summary>A value older than a removal that was over before the read began.</summary>
    LostDelete,
}

/// <summary>
/// Knows which values of one key may be read. Changes are numbered, and one is made at a time; any number of reads may go on meanwhile.
/// <para>
/// A change that is over, well or not, is the oldest that may be read from then on: the cache promises that what came
/// before a failed write is not read again. A cancelled one is different: it may or may not have happened, so it and
/// what was there before are both legal. A miss always is.
/// </para>
/// </summary>
/// <param name="key">The key's number; see <see cref="KeyedValues"/>.</param>
/// <param name="allowance">How long a value may be read after it has been replaced: nothing where a key has one place only.</param>
public sealed class KeyLedger(int key, TimeSpan allowance = default)
{
    private const int HistoryLength = 6;

    private readonly Lock _lock = new();
    private readonly Queue<(long At, int Oldest, int Removed)> _late = new();
    private readonly Queue<string> _history = new();
    private int _begun;
    private int _oldest;
    private int _removed;
    private int _oldestForSure;
    private int _removedForSure;

    /// <summary>The key's number.</summary>
    public int Key => key;

    /// <summary>Begins a change and gives its number.</summary>
    public int Begin()
    {
        lock (_lock)
        {
            return ++_begun;
        }
    }

    /// <summary>Remembers how a change went, for a complaint about one of the next.</summary>
    public void Remember(string what)
    {
        lock (_lock)
        {
            _history.Enqueue(what);
            if (_history.Count > HistoryLength)
            {
                _history.Dequeue();
            }
        }
    }

    /// <summary>Ends a change whose call returned, or failed.</summary>
    public void End(int change, bool isRemoval)
    {
        lock (_lock)
        {
            _oldest = change;
            _removed = isRemoval ? change : _removed;
            if (allowance > TimeSpan.Zero)
            {
                _late.Enqueue((TimeProvider.System.GetTimestamp(), _oldest, _removed));
            }
        }
    }

    /// <summary>Notes what must not be read any more, at the moment when a read begins.</summary>
    public Reading BeginRead()
    {
        lock (_lock)
        {
            if (allowance == TimeSpan.Zero)
            {
                return new Reading(_oldest, _removed);
            }

            while (_late.TryPeek(out (long At, int Oldest, int Removed) change) && TimeProvider.System.GetElapsedTime(change.At) > allowance)
            {
                _late.Dequeue();
                (_oldestForSure, _removedForSure) = (change.Oldest, change.Removed);
            }

            return new Reading(_oldestForSure, _removedForSure);
        }
    }

    /// <summary>Judges what a read gave, at the moment when it is over.</summary>
    public ReadJudgement Judge(Reading reading, byte[]? value, out string? complaint)
    {
        complaint = null;
        if (value is null)
        {
            return ReadJudgement.Legal;
        }

        int begun;
        lock (_lock)
        {
            begun = _begun;
        }

        complaint = KeyedValues.Read(key, value, out int version);
        if (complaint is not null)
        {
            return ReadJudgement.Wrong;
        }

        if (version < 1 || version > begun)
        {
            complaint = $"key {key}: version {version} of {begun}";
            return ReadJudgement.Wrong;
        }

        if (version >= reading.Oldest)
        {
            return ReadJudgement.Legal;
        }

        lock (_lock)
        {
            complaint = $"key {key}: version {version} after {reading.Oldest} (last removal {reading.Removed}); {string.Join("; ", _history)}";
        }

        return version < reading.Removed ? ReadJudgement.LostDelete : ReadJudgement.Stale;
    }

    /// <summary>What was over when a read began.</summary>
    /// <param name="Oldest">The oldest change that may be read.</param>
    /// <param name="Removed">The last removal.</param>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
    public readonly record struct Reading(int Oldest, int Removed);
}
