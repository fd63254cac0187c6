using System.Runtime.InteropServices;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// <c>stats items</c> and <c>stats slabs</c>. Counted by walking all items when asked, which keeps the stores themselves free of
/// bookkeeping for a question that a development server is seldom asked.
/// </summary>
internal static class SlabStats
{
    public static void WriteItems(CommandContext context)
    {
        StoreStatistics statistics = context.Store.Statistics;
        SortedDictionary<int, Group> groups = Count(context);

        // A class whose last item was evicted by one of another class still has something to tell.
        foreach (int slabClass in groups.Keys.Union(statistics.CountedClasses).Order())
        {
            groups.TryGetValue(slabClass, out Group group);
            SlabClassStatistics counts = statistics.OfClass(slabClass);
            Stat(context, "items:", slabClass, "number", group.Number);
            Stat(context, "items:", slabClass, "age", group.Number == 0 ? 0 : context.Now - group.Oldest);
            Stat(context, "items:", slabClass, "mem_requested", group.Bytes);
            Stat(context, "items:", slabClass, "evicted", counts.Evicted);
            Stat(context, "items:", slabClass, "evicted_nonzero", counts.EvictedNonzero);
            Stat(context, "items:", slabClass, "evicted_time", counts.EvictedTime);
            Stat(context, "items:", slabClass, "outofmemory", counts.OutOfMemory);
            Stat(context, "items:", slabClass, "reclaimed", counts.Reclaimed);
            Stat(context, "items:", slabClass, "expired_unfetched", counts.ExpiredUnfetched);
            Stat(context, "items:", slabClass, "evicted_unfetched", counts.EvictedUnfetched);
        }
    }

    public static void WriteSlabs(CommandContext context)
    {
        SortedDictionary<int, Group> groups = Count(context);
        long malloced = 0;
        foreach ((int slabClass, Group group) in groups)
        {
            int chunk = SlabClasses.ChunkBytes(slabClass);
            int perPage = SlabClasses.PageBytes / chunk;
            long used = slabClass == SlabClasses.Count ? (group.Bytes + chunk - 1) / chunk : group.Number;
            long pages = (used + perPage - 1) / perPage;
            malloced += pages * SlabClasses.PageBytes;
            Stat(context, "", slabClass, "chunk_size", chunk);
            Stat(context, "", slabClass, "chunks_per_page", perPage);
            Stat(context, "", slabClass, "total_pages", pages);
            Stat(context, "", slabClass, "total_chunks", pages * perPage);
            Stat(context, "", slabClass, "used_chunks", used);
            Stat(context, "", slabClass, "free_chunks", (pages * perPage) - used);
            Stat(context, "", slabClass, "free_chunks_end", 0);
        }

        StatsCommand.Stat(context, "active_slabs", groups.Count);
        StatsCommand.Stat(context, "total_malloced", malloced);
    }

    private static SortedDictionary<int, Group> Count(CommandContext context)
    {
        var groups = new Dictionary<int, Group>();
        foreach (Item item in context.Store.Items)
        {
            int bytes = item.TotalBytes;
            ref Group group = ref CollectionsMarshal.GetValueRefOrAddDefault(groups, SlabClasses.ClassOf(bytes), out bool known);
            group.Number++;
            group.Bytes += bytes;
            group.Oldest = known ? Math.Min(group.Oldest, item.LastAccess) : item.LastAccess;
        }

        return new SortedDictionary<int, Group>(groups);
    }

    private static void Stat(CommandContext context, string prefix, int slabClass, string name, long value)
        => StatsCommand.Stat(context, $"{prefix}{slabClass}:{name}", value);

    [StructLayout(LayoutKind.Auto)]
    private struct Group
    {
        public long Number;
        public long Bytes;
        public uint Oldest;
    }
}
