namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>
/// For tests that hold stale references to pooled operations or count what is in the pool: the pool is the process's, so nothing else
/// may run beside them.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}
