namespace MemcachedDistributedCache.Hybrid;

/// <summary>A batch's factory has left a key out.</summary>
internal sealed class LeftOutException() : Exception("The factory of a batch gave no value for this key.");
