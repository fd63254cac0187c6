using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Protocol.Classic;

/// <summary>
/// Writes requests of memcached's classic commands, as all of 1.4.15 to 1.6.x know them. Every method is pure: it
/// fills the start of a span and returns the length. Keys are legal on the wire by their type. No reply carries a
/// token; its order and the key behind <c>VALUE</c> prove whose reply it is. Where one of our operations needs two
/// commands they are written together: a server takes the commands of a connection one after the other, and other
/// clients may come between.
/// </summary>
internal static class ClassicRequests
{
    /// <summary>A second command makes a request at most this much longer than the meta command that does the same.</summary>
    public const int AdditionalLength = MetaRequests.MaximumKeyLength + 16;

    /// <summary>
    /// <c>gets &lt;key&gt;\r\n</c>: client flags, CAS and value. Never <c>get</c>: what a CAS costs is some bytes,
    /// and without one neither a fence nor a touch can tell one item from the next.
    /// </summary>
    public static int WriteGet(Span<byte> destination, WireKey key)
    {
        var line = new LineWriter(destination);
        line.Put("gets "u8);
        line.Put(key.ToWrite());
        return line.End();
    }

    /// <summary>
    /// <c>touch &lt;key&gt; &lt;ttl&gt;\r\ngets &lt;key&gt;\r\n</c>: sets the time to live, and tells of which item
    /// by its flags and CAS. <c>gats</c> would be one command, but came with 1.5.3.
    /// </summary>
    public static int WriteTouch(Span<byte> destination, WireKey key, int timeToLive)
    {
        var line = new LineWriter(destination);
        line.Put("touch "u8);
        line.Put(key.ToWrite());
        line.Put(" "u8);
        line.Put(timeToLive);
        int length = line.End();
        return length + WriteGet(destination[length..], key);
    }

    /// <summary>
    /// <c>set &lt;key&gt; 0 &lt;ttl&gt; 0\r\n\r\ngets &lt;key&gt;\r\n</c>: stores nothing under a key, and asks for
    /// the CAS that is there then: its own, or a later one.
    /// </summary>
    public static int WriteProbe(Span<byte> destination, WireKey key, int timeToLive)
        => WriteEmpty(destination, "set "u8, key, 0, timeToLive);

    /// <summary>
    /// <c>add &lt;key&gt; &lt;flags&gt; &lt;ttl&gt; 0\r\n\r\ngets &lt;key&gt;\r\n</c>: what is there; where nothing
    /// was, an empty item that lives so long. Its flags tell who has made it.
    /// </summary>
    public static int WriteLease(Span<byte> destination, WireKey key, int seconds, uint flags)
        => WriteEmpty(destination, "add "u8, key, flags, seconds);

    /// <summary>
    /// <c>set|add &lt;key&gt; &lt;flags&gt; &lt;ttl&gt; &lt;length&gt;\r\n</c> or <c>cas &lt;key&gt; &lt;flags&gt;
    /// &lt;ttl&gt; &lt;length&gt; &lt;cas&gt;\r\n</c>; the data block and its <c>\r\n</c> follow.
    /// </summary>
    public static int WriteStore(
        Span<byte> destination,
        WireKey key,
        int length,
        int timeToLive,
        uint flags,
        MetaRequests.StoreCondition condition = default)
    {
        var line = new LineWriter(destination);
        line.Put(condition.Cas != 0 ? "cas "u8 : condition.OnlyIfAbsent ? "add "u8 : "set "u8);
        line.Put(key.ToWrite());
        line.Put(" "u8);
        line.Put(flags);
        line.Put(" "u8);
        line.Put(timeToLive);
        line.Put(" "u8);
        line.Put(length);
        if (condition.Cas != 0)
        {
            line.Put(" "u8);
            line.Put(condition.Cas);
        }

        return line.End();
    }

    /// <summary>
    /// <c>[touch &lt;key&gt; &lt;ttl&gt;\r\n]gets &lt;key&gt;\r\n</c>: an item with its value, which classic commands cannot leave out.
    /// </summary>
    public static int WriteFetch(Span<byte> destination, WireKey key, int? timeToLive)
        => timeToLive is { } seconds ? WriteTouch(destination, key, seconds) : WriteGet(destination, key);

    /// <summary>
    /// <c>set|add|replace|append|prepend &lt;key&gt; &lt;flags&gt; &lt;ttl&gt; &lt;length&gt;\r\n</c> or <c>cas &lt;key&gt; &lt;flags&gt;
    /// &lt;ttl&gt; &lt;length&gt; &lt;cas&gt;\r\n</c>; the data block and its <c>\r\n</c> follow. <c>append</c> and <c>prepend</c> leave
    /// the item its flags and its time to live, and have no form that is held against a state.
    /// </summary>
    public static int WritePut(Span<byte> destination, WireKey key, int length, StoreMode mode, int timeToLive, uint flags, ulong cas)
    {
        var line = new LineWriter(destination);
        line.Put(mode switch
        {
            StoreMode.Add => "add "u8,
            StoreMode.Append => "append "u8,
            StoreMode.Prepend => "prepend "u8,
            _ when cas != 0 => "cas "u8,
            StoreMode.Replace => "replace "u8,
            _ => "set "u8,
        });
        line.Put(key.ToWrite());
        line.Put(" "u8);
        line.Put(flags);
        line.Put(" "u8);
        line.Put(timeToLive);
        line.Put(" "u8);
        line.Put(length);
        if (cas != 0 && mode is StoreMode.Set or StoreMode.Replace)
        {
            line.Put(" "u8);
            line.Put(cas);
        }

        return line.End();
    }

    /// <summary><c>incr|decr &lt;key&gt; &lt;delta&gt;\r\n</c>.</summary>
    public static int WriteIncrement(Span<byte> destination, WireKey key, bool isDown, ulong delta)
    {
        var line = new LineWriter(destination);
        line.Put(isDown ? "decr "u8 : "incr "u8);
        line.Put(key.ToWrite());
        line.Put(" "u8);
        line.Put(delta);
        return line.End();
    }

    /// <summary><c>delete &lt;key&gt;\r\n</c>.</summary>
    public static int WriteDelete(Span<byte> destination, WireKey key)
    {
        var line = new LineWriter(destination);
        line.Put("delete "u8);
        line.Put(key.ToWrite());
        return line.End();
    }

    /// <summary>
    /// <c>cas &lt;key&gt; 0 2592001 0 &lt;cas&gt;\r\n\r\n</c>: replaces the item in that state by one that has
    /// expired; <c>delete</c> takes no CAS. Above 30 days a time to live is a date, and this one is in 1970, in every
    /// release. A negative number would do the same, but twemproxy closes the connection at it.
    /// </summary>
    public static int WriteExpiry(Span<byte> destination, WireKey key, ulong cas)
    {
        var line = new LineWriter(destination);
        line.Put("cas "u8);
        line.Put(key.ToWrite());
        line.Put(" 0 2592001 0 "u8);
        line.Put(cas);
        line.Put("\r\n"u8);
        return line.End();
    }

    /// <summary><c>version\r\n</c>, answered by <c>VERSION &lt;text&gt;\r\n</c> after everything before it.</summary>
    public static int WriteNoOp(Span<byte> destination)
    {
        "version\r\n"u8.CopyTo(destination);
        return 9;
    }

    private static int WriteEmpty(Span<byte> destination, ReadOnlySpan<byte> verb, WireKey key, uint flags, int timeToLive)
    {
        var line = new LineWriter(destination);
        line.Put(verb);
        line.Put(key.ToWrite());
        line.Put(" "u8);
        line.Put(flags);
        line.Put(" "u8);
        line.Put(timeToLive);
        line.Put(" 0\r\n"u8);
        int length = line.End();
        return length + WriteGet(destination[length..], key);
    }
}
