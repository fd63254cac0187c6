namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>What becomes of the keys of a node that is down. Whatever holds in every case is tested in every case.</summary>
internal static class Failovers
{
    /// <summary>The keys of a node that is down are misses.</summary>
    public const string None = "None";

    /// <summary>Every case, by name.</summary>
    public static IReadOnlyList<string> Names { get; } = [None];

    /// <summary>Every case as a theory's data.</summary>
    public static TheoryData<string> All => [.. Names];

    /// <summary>Sets the case.</summary>
    public static MemcachedCacheOptions With(this MemcachedCacheOptions options, string failover) => failover switch
    {
        None => options,
        _ => throw new ArgumentOutOfRangeException(nameof(failover), failover, "not a case of failover"),
    };

    /// <summary>Whether another node may answer in the place of one that is down.</summary>
    public static bool AnswersElsewhere(string failover) => failover != None;
}
