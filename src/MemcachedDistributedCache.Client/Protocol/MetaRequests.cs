using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// Writes requests of memcached's meta protocol. Every method is pure: it fills the start of a span and returns the
/// length. Keys are legal on the wire by their type.
/// The opaque token comes back in the reply, which proves whose reply it is.
/// </summary>
internal static class MetaRequests
{
    /// <summary>The longest key that memcached takes.</summary>
    public const int MaximumKeyLength = 250;

    /// <summary>No request line, without its data block, is longer than this.</summary>
    public const int MaximumLineLength = MaximumKeyLength + 96;

    /// <summary>
    /// <c>mg &lt;key&gt; v f t O&lt;opaque&gt;\r\n</c>: value, client flags, remaining seconds; with <c>c</c> before
    /// the <c>O</c> the CAS too.
    /// </summary>
    public static int WriteGet(Span<byte> destination, WireKey key, uint opaque, bool withCas = false)
    {
        var line = new LineWriter(destination);
        line.Put("mg "u8);
        line.Put(key.ToWrite());
        line.Put(withCas ? " v f t c O"u8 : " v f t O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary>
    /// <c>mg &lt;key&gt; N&lt;seconds&gt; [v] f t c O&lt;opaque&gt;\r\n</c>: what is there; where nothing is, an empty
    /// item is made that lives so long. Who makes it is told <c>W</c>, who comes later <c>Z</c>.
    /// </summary>
    public static int WriteLease(Span<byte> destination, WireKey key, int seconds, bool withValue, uint opaque)
    {
        var line = new LineWriter(destination);
        line.Put("mg "u8);
        line.Put(key.ToWrite());
        line.Put(" N"u8);
        line.Put(seconds);
        line.Put(withValue ? " v f t c O"u8 : " f t c O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary>
    /// <c>mg &lt;key&gt; f t O&lt;opaque&gt;\r\n</c>: client flags and remaining seconds, no value; with <c>c</c>
    /// before the <c>O</c> the CAS too.
    /// </summary>
    public static int WriteInspect(Span<byte> destination, WireKey key, uint opaque, bool withCas = false)
    {
        var line = new LineWriter(destination);
        line.Put("mg "u8);
        line.Put(key.ToWrite());
        line.Put(withCas ? " f t c O"u8 : " f t O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary>
    /// <c>mg &lt;key&gt; T&lt;ttl&gt; f t c O&lt;opaque&gt;\r\n</c>: sets the time to live, and tells of which item by
    /// its flags and CAS.
    /// </summary>
    public static int WriteTouch(Span<byte> destination, WireKey key, int timeToLive, uint opaque)
    {
        var line = new LineWriter(destination);
        line.Put("mg "u8);
        line.Put(key.ToWrite());
        line.Put(" T"u8);
        line.Put(timeToLive);
        line.Put(" f t c O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary>
    /// <c>ms &lt;key&gt; 0 T&lt;ttl&gt; c O&lt;opaque&gt;\r\n\r\n</c>: stores nothing under a key, and asks for the CAS
    /// that it got.
    /// </summary>
    public static int WriteProbe(Span<byte> destination, WireKey key, int timeToLive, uint opaque)
    {
        var line = new LineWriter(destination);
        line.Put("ms "u8);
        line.Put(key.ToWrite());
        line.Put(" 0 T"u8);
        line.Put(timeToLive);
        line.Put(" c O"u8);
        line.Put(opaque);
        line.Put("\r\n"u8);
        return line.End();
    }

    /// <summary>
    /// <c>ms &lt;key&gt; &lt;length&gt; T&lt;ttl&gt; [F&lt;flags&gt;] [C&lt;cas&gt;] [ME] [c] O&lt;opaque&gt;\r\n</c>;
    /// the data block and its <c>\r\n</c> follow. With <c>C</c> only over the item in that state, with <c>ME</c> only
    /// where none is; <c>c</c> asks for the CAS that it got.
    /// </summary>
    public static int WriteStore(
        Span<byte> destination,
        WireKey key,
        int length,
        int timeToLive,
        uint flags,
        uint opaque,
        StoreCondition condition = default)
    {
        var line = new LineWriter(destination);
        line.Put("ms "u8);
        line.Put(key.ToWrite());
        line.Put(" "u8);
        line.Put(length);
        line.Put(" T"u8);
        line.Put(timeToLive);
        if (flags != 0)
        {
            line.Put(" F"u8);
            line.Put(flags);
        }

        if (condition.Cas != 0)
        {
            line.Put(" C"u8);
            line.Put(condition.Cas);
        }

        line.Put(condition.OnlyIfAbsent ? " ME"u8 : default);
        line.Put(condition.ReturnsCas ? " c"u8 : default);
        line.Put(" O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary><c>md &lt;key&gt; [C&lt;cas&gt;] O&lt;opaque&gt;\r\n</c>; with <c>C</c> only the item in that state.</summary>
    public static int WriteDelete(Span<byte> destination, WireKey key, uint opaque, ulong cas = 0)
    {
        var line = new LineWriter(destination);
        line.Put("md "u8);
        line.Put(key.ToWrite());
        if (cas != 0)
        {
            line.Put(" C"u8);
            line.Put(cas);
        }

        line.Put(" O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary>
    /// <c>mg &lt;key&gt; [T&lt;ttl&gt;] v|s f t c h l O&lt;opaque&gt;\r\n</c>: all that a server tells of an item, with its value or
    /// the length of that. With <c>T</c> the time to live is set too. Only <c>v</c> and <c>T</c> count as an access.
    /// </summary>
    public static int WriteFetch(Span<byte> destination, WireKey key, bool withValue, int? timeToLive, uint opaque)
    {
        var line = new LineWriter(destination);
        line.Put("mg "u8);
        line.Put(key.ToWrite());
        if (timeToLive is { } seconds)
        {
            line.Put(" T"u8);
            line.Put(seconds);
        }

        line.Put(withValue ? " v f t c h l O"u8 : " s f t c h l O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary>
    /// <c>ms &lt;key&gt; &lt;length&gt; [M&lt;mode&gt;] [T&lt;ttl&gt;] [N&lt;ttl&gt;] [F&lt;flags&gt;] [C&lt;cas&gt;] c
    /// O&lt;opaque&gt;\r\n</c>; the data block and its <c>\r\n</c> follow. The modes are <c>E</c> (add), <c>R</c> (replace), <c>A</c> (append) and <c>P</c>
    /// (prepend). The last two leave the item its time to live and flags; with <c>N</c> they make a missing item, which 1.6.18 and
    /// older do not: they answer <c>NS</c>.
    /// </summary>
    public static int WritePut(
        Span<byte> destination,
        WireKey key,
        int length,
        StoreMode mode,
        int timeToLive,
        int? vivifyTimeToLive,
        uint flags,
        ulong cas,
        uint opaque)
    {
        var line = new LineWriter(destination);
        line.Put("ms "u8);
        line.Put(key.ToWrite());
        line.Put(" "u8);
        line.Put(length);
        line.Put(mode switch
        {
            StoreMode.Add => " ME"u8,
            StoreMode.Replace => " MR"u8,
            StoreMode.Append => " MA"u8,
            StoreMode.Prepend => " MP"u8,
            _ => default,
        });
        if (mode < StoreMode.Append)
        {
            line.Put(" T"u8);
            line.Put(timeToLive);
        }
        else if (vivifyTimeToLive is { } seconds)
        {
            line.Put(" N"u8);
            line.Put(seconds);
        }

        if (flags != 0)
        {
            line.Put(" F"u8);
            line.Put(flags);
        }

        if (cas != 0)
        {
            line.Put(" C"u8);
            line.Put(cas);
        }

        line.Put(" c O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary>
    /// <c>ma &lt;key&gt; [MD] D&lt;delta&gt; [N&lt;ttl&gt; J&lt;initial&gt;] v t c O&lt;opaque&gt;\r\n</c>: adds to a number, or with
    /// <c>MD</c> takes from it, and tells the new one. With <c>N</c> a missing item is made of the initial number.
    /// </summary>
    public static int WriteIncrement(Span<byte> destination, WireKey key, in NumberChange change, uint opaque)
    {
        var line = new LineWriter(destination);
        line.Put("ma "u8);
        line.Put(key.ToWrite());
        line.Put(change.IsDown ? " MD D"u8 : " D"u8);
        line.Put(change.Delta);
        if (change.Initial is { } initial)
        {
            line.Put(" N"u8);
            line.Put(change.TimeToLive);
            line.Put(" J"u8);
            line.Put(initial);
        }

        line.Put(" v t c O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary>
    /// <c>md &lt;key&gt; I T&lt;ttl&gt; [C&lt;cas&gt;] O&lt;opaque&gt;\r\n</c>: marks the item as old and gives it a new time to live;
    /// with <c>C</c> only in that state.
    /// </summary>
    public static int WriteMarkStale(Span<byte> destination, WireKey key, int timeToLive, ulong cas, uint opaque)
    {
        var line = new LineWriter(destination);
        line.Put("md "u8);
        line.Put(key.ToWrite());
        line.Put(" I T"u8);
        line.Put(timeToLive);
        if (cas != 0)
        {
            line.Put(" C"u8);
            line.Put(cas);
        }

        line.Put(" O"u8);
        line.Put(opaque);
        return line.End();
    }

    /// <summary><c>mn\r\n</c>, answered by <c>MN\r\n</c> after everything before it.</summary>
    public static int WriteNoOp(Span<byte> destination)
    {
        "mn\r\n"u8.CopyTo(destination);
        return 4;
    }

    /// <summary>A change of a number.</summary>
    /// <param name="IsDown">Takes from it. Below zero memcached stops at zero; above 64 bits it begins at zero again.</param>
    /// <param name="Delta">By how much.</param>
    /// <param name="Initial">The number that a missing item is made of; null where none is to be made.</param>
    /// <param name="TimeToLive">The time to live of an item that is made.</param>
    internal readonly record struct NumberChange(bool IsDown, ulong Delta, ulong? Initial, int TimeToLive);

    /// <summary>When a store takes place, and what is told of it.</summary>
    /// <param name="Cas">The state that the item must be in; 0 for any.</param>
    /// <param name="OnlyIfAbsent">Whether there must be no item.</param>
    /// <param name="ReturnsCas">Whether the reply tells the CAS of what was stored.</param>
    internal readonly record struct StoreCondition(ulong Cas, bool OnlyIfAbsent, bool ReturnsCas);
}
