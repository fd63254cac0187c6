namespace MemcachedDistributedCache.Caching;

/// <summary>
/// Keeps concurrent readers of one key from all moving its window: while one touch is under way, the others leave it to that one.
/// A fixed table without locks; two keys that share a place cost a touch too many, never one too few.
/// </summary>
internal sealed class TouchGate
{
    private const int Places = 1024;
    private readonly ulong[] _underWay = new ulong[Places];

    /// <summary>Whether the caller is to touch; then it must call <see cref="Leave"/> with the same mark.</summary>
    public bool TryEnter(ulong mark)
    {
        ulong before = Interlocked.CompareExchange(ref _underWay[mark % Places], mark, 0);
        return before != mark;
    }

    /// <summary>Ends a touch.</summary>
    public void Leave(ulong mark) => Interlocked.CompareExchange(ref _underWay[mark % Places], 0, mark);
}
