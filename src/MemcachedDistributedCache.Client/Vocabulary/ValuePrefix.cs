namespace MemcachedDistributedCache.Vocabulary;

/// <summary>
/// Tells from an item's client flags how many bytes stand before its value: 0 or <see cref="Length"/>. They are taken off on
/// the way in, so that the caller's array holds the value and nothing else.
/// </summary>
internal static class ValuePrefix
{
    /// <summary>The length of a prefix, where there is one.</summary>
    public const int Length = sizeof(long);
}
