namespace MemcachedDistributedCache.Hybrid;

/// <summary>A part of a value that did not come back.</summary>
/// <param name="Member">The member, by its path from the type of the value. It holds no key and no value.</param>
/// <param name="What">What is different.</param>
/// <param name="Remedy">What the application can do.</param>
internal readonly record struct ValueDifference(string Member, string What, string Remedy);
