namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>What becomes of the keys of a node that is down. Whatever holds in every case is tested in every case.</summary>
internal static class Failovers
{
    /// <summary>The keys of a node that is down are misses.</summary>
    public const string None = "None";

    /// <summary>The next node takes them for a short while.</summary>
    public const string Gutter = "Gutter";

    /// <summary>Every case, by name.</summary>
    public static IReadOnlyList<string> Names { get; } = [None, Gutter];

    /// <summary>Every case as a theory's data.</summary>
    public static TheoryData<string> All => [.. Names];

    /// <summary>Sets the case.</summary>
    public static MemcachedCacheOptions With(this MemcachedCacheOptions options, string failover)
    {
        options.Failover = Enum.Parse<MemcachedFailover>(failover);
        return options;
    }

    /// <summary>Whether another node may answer in the place of one that is down.</summary>
    public static bool AnswersElsewhere(string failover) => failover != None;
}
