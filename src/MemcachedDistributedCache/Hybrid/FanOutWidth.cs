using System.Runtime.InteropServices;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// How many requests of one call with many keys may be under way at once; more at once are no faster, as each connection sends what
/// has gathered.
/// </summary>
/// <param name="Requests">All of them.</param>
/// <param name="Stores">How many of them may be stores.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FanOutWidth(int Requests, int Stores)
{
    private const int LargestWidth = 256;

    /// <summary>More than what goes before a value: the request, and the versions of its tags.</summary>
    private const int LargestHeader = 64 * 1024;

    public static FanOutWidth Largest => new(LargestWidth, LargestWidth);

    /// <summary>
    /// The width that leaves room for other calls in the queue of a connection, with stores whose values may all be as long as they
    /// are allowed to be.
    /// </summary>
    public static FanOutWidth Below(int maximumPending, long maximumBuffered, long maximumPayload)
    {
        int requests = Math.Clamp(maximumPending / 4, 1, LargestWidth);
        return new(requests, (int)Math.Clamp(maximumBuffered / (maximumPayload + LargestHeader), 1, requests));
    }
}
