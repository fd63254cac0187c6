using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// Keeps concurrent readers of one key from all moving its window: none does while a touch is under way, nor one whose read the
/// server saw before the last touch, for that touch has moved the window already. A fixed table without locks; two keys that share
/// a place cost a touch too many, never one too few.
/// </summary>
internal sealed class TouchGate
{
    private const int Places = 1024;
    private const long UnderWay = long.MaxValue;
    private readonly Touch?[] _last = new Touch?[Places];

    /// <summary>The touch that the caller is to send and then to <see cref="Leave"/>, or null if none is needed.</summary>
    /// <param name="mark">64 bits of the key.</param>
    /// <param name="readSequence">The request that found the window due.</param>
    public Touch? TryEnter(ulong mark, long readSequence)
    {
        ref Touch? place = ref _last[(mark >> 1) % Places];
        Touch? last = Volatile.Read(ref place);
        if (last is not null && last.Covers(mark, readSequence))
        {
            return null;
        }

        var touch = new Touch(mark);
        Touch? other = Interlocked.CompareExchange(ref place, touch, last);
        return other != last && other is not null && other.Covers(mark, readSequence) ? null : touch;
    }

    /// <summary>Ends a touch: done as this request, or 0 if it was not done.</summary>
    public static void Leave(Touch touch, long sequence) => touch.Complete(sequence);

    /// <summary>One touch of one key.</summary>
    internal sealed class Touch(ulong mark)
    {
        private long _sequence = UnderWay;

        /// <summary>This touch serves a reader as well as one of its own would.</summary>
        public bool Covers(ulong ofMark, long readSequence)
        {
            long sequence = Volatile.Read(ref _sequence);
            return ofMark == mark && (sequence == UnderWay || RequestSequence.IsAfter(sequence, readSequence));
        }

        /// <summary>Notes which request it was.</summary>
        public void Complete(long sequence) => Volatile.Write(ref _sequence, sequence);
    }
}
