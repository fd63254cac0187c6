namespace MemcachedDistributedCache.Hybrid;

/// <summary>What a value has and what came back of it has not.</summary>
/// <param name="Member">The member, by its path from the type of the value. It holds no key and no value.</param>
/// <param name="What">What is different.</param>
/// <param name="Remedy">What the application can do.</param>
internal readonly record struct ValueDifference(string Member, string What, string Remedy);
