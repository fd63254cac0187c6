namespace MemcachedDistributedCache;

/// <summary>A server is worth asking.</summary>
public enum MemcachedNodeState
{
    /// <summary>It has not answered yet since the cache was made.</summary>
    Unknown,

    /// <summary>It has answered.</summary>
    Up,

    /// <summary>It cannot be reached; operations on its keys end at once, and it is tried in the background.</summary>
    Down,
}
