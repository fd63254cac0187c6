using System.Runtime.InteropServices;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// Keeps concurrent readers of one key from all moving its window: none does while a touch is under way, nor one whose read the
/// server saw before the last touch, for that touch has moved the window already. A reader that does not know how much time the
/// item has left leaves it at a touch of the same item that was sent within <see cref="Interval"/>. A fixed table without locks;
/// two keys that share a place cost a touch too many, never one too few.
/// </summary>
internal sealed class TouchGate
{
    /// <summary>
    /// For how long a touch serves those who do not know the time to live. An item that they touch is given as much
    /// more.
    /// </summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private const int Places = 1024;
    private const long UnderWay = long.MaxValue;

    // No server counts so far.
    private const ulong NoCas = 1ul << 63;
    private readonly Touch?[] _last = new Touch?[Places];

    /// <summary>The touch that the caller is to send and then to <see cref="Leave"/>, or null if none is needed.</summary>
    /// <param name="mark">64 bits of the key.</param>
    /// <param name="readSequence">The request that found the window due.</param>
    /// <param name="moment">Which item it found, and when, if the item's time to live is not known.</param>
    public Touch? TryEnter(ulong mark, long readSequence, Moment moment = default)
    {
        ref Touch? place = ref _last[(mark >> 1) % Places];
        Touch? last = Volatile.Read(ref place);
        if (last is not null && last.Covers(mark, readSequence, moment))
        {
            return null;
        }

        var touch = new Touch(mark, moment.At);
        Touch? other = Interlocked.CompareExchange(ref place, touch, last);
        return other != last && other is not null && other.Covers(mark, readSequence, moment) ? null : touch;
    }

    /// <summary>Ends a touch: done as this request, or 0 if it was not done, and of this item, or 0 if that is not known.</summary>
    public static void Leave(Touch touch, long sequence, ulong item = 0) => touch.Complete(sequence, item);

    /// <summary>
    /// Tells one item of a key from the next: by its CAS, or by its client flags where the server counts none (<c>-C</c>). Two items with
    /// the same flags have the same window, so what is lost is the second that the later one is younger at most.
    /// </summary>
    public static ulong ItemOf(in OperationResult result) => result.Cas != 0 ? result.Cas : NoCas | result.Flags;

    /// <summary>The moment at which an item was read whose time to live is not known; none by default.</summary>
    /// <param name="Item">The item; see <see cref="ItemOf"/>.</param>
    /// <param name="At">The moment, as a timestamp.</param>
    /// <param name="Since">The moment one interval before.</param>
    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Moment(ulong Item, long At, long Since)
    {
        /// <summary>The moment of now.</summary>
        public static Moment Now(ulong item, TimeProvider clock)
        {
            long now = clock.GetTimestamp();
            return new Moment(item, now, now - (long)(Interval.TotalSeconds * clock.TimestampFrequency));
        }
    }

    /// <summary>One touch of one key.</summary>
    internal sealed class Touch(ulong mark, long sentAt)
    {
        private long _sequence = UnderWay;
        private ulong _item;

        /// <summary>This touch serves a reader as well as one of its own would.</summary>
        public bool Covers(ulong ofMark, long readSequence, Moment moment)
        {
            long sequence = Volatile.Read(ref _sequence);
            return ofMark == mark
                && (sequence == UnderWay
                    || RequestSequence.IsAfter(sequence, readSequence)
                    || (moment.Item != 0 && moment.Item == _item && sentAt > moment.Since));
        }

        /// <summary>Notes which request it was, and of which item.</summary>
        public void Complete(long sequence, ulong item)
        {
            _item = item;
            Volatile.Write(ref _sequence, sequence);
        }
    }
}
