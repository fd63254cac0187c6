namespace MemcachedDistributedCache.Hybrid;

/// <summary>Checks the tags that callers give.</summary>
internal static class TagList
{
    /// <summary>Up to here a list is searched faster than a set is made.</summary>
    private const int FewTags = 8;

    /// <summary>The tags, each once.</summary>
    /// <exception cref="ArgumentException">A tag is none, or there are too many; no more of them are looked at than can be had.</exception>
    public static IReadOnlyList<string> Of(IEnumerable<string>? tags, int maximum, string parameter)
    {
        if (tags is null)
        {
            return [];
        }

        var list = new List<string>();
        HashSet<string>? set = null;
        foreach (string tag in tags)
        {
            if (string.IsNullOrWhiteSpace(tag))
            {
                throw new ArgumentException("A tag must have at least one character that is no space.", parameter);
            }

            if (tag == TagTable.Wildcard)
            {
                throw new ArgumentException(
                    "The tag '*' stands for all entries, and none can be given it. To invalidate all entries call RemoveByTagAsync(\"*\").",
                    parameter);
            }

            if (set is null ? list.Contains(tag, StringComparer.Ordinal) : !set.Add(tag))
            {
                continue;
            }

            if (list.Count == maximum)
            {
                const string Option = $"{nameof(MemcachedHybridCacheOptions)}.{nameof(MemcachedHybridCacheOptions.MaximumTags)}";
                throw new ArgumentException(
                    $"An entry can have {maximum} tags, and there are more. Give it fewer, or raise {Option} in all processes.",
                    parameter);
            }

            list.Add(tag);
            if (list.Count == FewTags)
            {
                set = new HashSet<string>(list, StringComparer.Ordinal);
            }
        }

        return list;
    }
}
