namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Which keys of a node had a large value when it was last read, told by their hashes. A table of fixed size without
/// locks: a key that another has driven out, or that has the hash of another, is asked for on the one connection
/// instead of the other, which may cost time and is never wrong.
/// </summary>
internal sealed class LargeValues
{
    /// <summary>
    /// From this length on a value is large. On a network of 10 Gbit/s it takes some 50 µs, as long as a small one
    /// takes in all.
    /// </summary>
    public const int MinimumLength = 64 * 1024;

    /// <summary>A power of two. As many values of the least such length fill 256 MB.</summary>
    private const int Places = 4096;

    // One mark a place, 0 where there is none; null while no large value was read.
    private uint[]? _marks;

    /// <summary>The key's value was large; costs nothing where none ever was.</summary>
    public bool Contains(uint hash) => Volatile.Read(ref _marks) is { } marks && marks[PlaceOf(hash)] == MarkOf(hash);

    /// <summary>Notes how long the value is that a read finds; 0 stands for a read of which nothing is noted.</summary>
    public void Note(uint hash, int length)
    {
        if (hash == 0)
        {
            return;
        }

        if (length >= MinimumLength)
        {
            Marks()[PlaceOf(hash)] = MarkOf(hash);
        }
        else if (Contains(hash))
        {
            Marks()[PlaceOf(hash)] = 0;
        }
    }

    private uint[] Marks() => Volatile.Read(ref _marks) ?? Interlocked.CompareExchange(ref _marks, new uint[Places], null) ?? _marks;

    private static int PlaceOf(uint hash) => (int)(hash >> 1) & (Places - 1);

    private static uint MarkOf(uint hash) => hash | 1;
}
