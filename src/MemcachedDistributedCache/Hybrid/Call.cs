using System.Runtime.InteropServices;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The options of a call, with the defaults filled in.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct CallOptions(TimeSpan Expiration, TimeSpan LocalExpiration, HybridCacheEntryFlags Flags)
{
    /// <summary>Fills in what a caller left out. One who gives an expiration and no local one means both, as with Microsoft's implementation.</summary>
    public static CallOptions From(HybridCacheEntryOptions? options, HybridSettings settings)
    {
        if (options is null)
        {
            return new CallOptions(settings.DefaultExpiration, settings.LocalCacheExpiration, HybridCacheEntryFlags.None);
        }

        return new CallOptions(
            options.Expiration ?? settings.DefaultExpiration,
            options.LocalCacheExpiration ?? options.Expiration ?? settings.LocalCacheExpiration,
            options.Flags ?? HybridCacheEntryFlags.None);
    }

    public bool MayReadLocal => (Flags & HybridCacheEntryFlags.DisableLocalCacheRead) == HybridCacheEntryFlags.None;

    public bool MayWriteLocal => (Flags & HybridCacheEntryFlags.DisableLocalCacheWrite) == HybridCacheEntryFlags.None;

    public bool MayReadRemote => (Flags & HybridCacheEntryFlags.DisableDistributedCacheRead) == HybridCacheEntryFlags.None;

    public bool MayWriteRemote => (Flags & HybridCacheEntryFlags.DisableDistributedCacheWrite) == HybridCacheEntryFlags.None;

    public bool MayCreate => (Flags & HybridCacheEntryFlags.DisableUnderlyingData) == HybridCacheEntryFlags.None;

    /// <summary>The flags that make a difference here; values are never compressed.</summary>
    public HybridCacheEntryFlags Distinct => Flags & ~HybridCacheEntryFlags.DisableCompression;
}

/// <summary>What a value is asked for with.</summary>
/// <param name="Key">The key.</param>
/// <param name="WireKey">The key in the cluster.</param>
/// <param name="Options">The options.</param>
/// <param name="Tags">The tags of the value, should it be made; that of all entries first.</param>
/// <param name="Version">The key's number in the process's own memory from before anything was asked.</param>
internal sealed record Call(string Key, byte[] WireKey, CallOptions Options, TagState[] Tags, long Version);

/// <summary>Checks the tags that callers give.</summary>
internal static class TagList
{
    /// <summary>The tags, each once.</summary>
    public static IReadOnlyList<string> Of(IEnumerable<string>? tags, string parameter)
    {
        if (tags is null)
        {
            return [];
        }

        var list = new List<string>();
        foreach (string tag in tags)
        {
            if (string.IsNullOrWhiteSpace(tag))
            {
                throw new ArgumentException("A tag must have at least one character that is no space.", parameter);
            }

            if (tag == TagTable.Wildcard)
            {
                throw new ArgumentException("The tag '*' stands for all entries, and none can be given it. To invalidate all entries call RemoveByTagAsync(\"*\").", parameter);
            }

            if (!list.Contains(tag, StringComparer.Ordinal))
            {
                list.Add(tag);
            }
        }

        return list.Count <= EntryLayout.MaximumTags ? list : throw new ArgumentException($"An entry can have {EntryLayout.MaximumTags} tags, and not {list.Count}.", parameter);
    }
}
