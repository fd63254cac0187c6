namespace MemcachedDistributedCache.Embedded.Storage;

/// <summary>
/// The chunk sizes that memcached's defaults give. Nothing is allocated by them here; tools and <c>me</c> show an item's
/// class, and a dashboard that groups by class should see the groups it would see in production.
/// </summary>
internal static class SlabClasses
{
    public const int PageBytes = 1024 * 1024;

    private const double Growth = 1.25;
    private const int FirstChunk = 96;
    private const int LargestChunk = PageBytes / 2;
    private const int Alignment = 8;

    private static readonly int[] Chunks = Compute();

    public static int Count => Chunks.Length;

    /// <summary>The class, from 1, that holds an item of so many bytes; the largest also holds what is cut into chunks.</summary>
    public static int ClassOf(int totalBytes)
    {
        int index = Array.BinarySearch(Chunks, totalBytes);
        return Math.Min(index >= 0 ? index : ~index, Chunks.Length - 1) + 1;
    }

    public static int ChunkBytes(int slabClass) => Chunks[slabClass - 1];

    private static int[] Compute()
    {
        var chunks = new List<int>();
        for (int size = FirstChunk; size < LargestChunk / Growth; size = (int)(size * Growth))
        {
            size = (size + Alignment - 1) / Alignment * Alignment;
            chunks.Add(size);
        }

        chunks.Add(LargestChunk);
        return [.. chunks];
    }
}
