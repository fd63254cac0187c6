namespace MemcachedDistributedCache.Hybrid;

/// <summary>The version of a tag that an entry carries.</summary>
internal readonly record struct TagStamp(TagState State, TagVersion Version);

/// <summary>The tags of an entry allow it to be served.</summary>
internal enum TagCheck : byte
{
    /// <summary>All versions are right, and known to be.</summary>
    Valid,

    /// <summary>All versions are the last ones known, but some has to be read anew first.</summary>
    NeedsRefresh,

    /// <summary>Some version has been superseded: the entry is never right again.</summary>
    Invalid,

    /// <summary>Some version cannot be read, and none is known.</summary>
    Unverifiable,
}
