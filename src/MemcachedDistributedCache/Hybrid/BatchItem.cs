using MemcachedDistributedCache.Vocabulary;
namespace MemcachedDistributedCache.Hybrid;

/// <summary>One key of a batch.</summary>
internal sealed class BatchItem(Call call)
{
    public Call Call => call;

    /// <summary>The right to make its value, once it is won.</summary>
    public Lease? Lease { get; set; }

    /// <summary>The state that its value may replace; null for the lease's own.</summary>
    public Vocabulary.CasToken? Over { get; set; }

    /// <summary>Where its value is kept.</summary>
    public StoreTarget StoreTarget { get; set; }

    /// <summary>The versions of its tags from before the factory.</summary>
    public TagStamp[] Stamps { get; set; } = [];

    /// <summary>How often something of no use was removed to make place.</summary>
    public int Discards { get; set; }
}

/// <summary>What is next for a key of a batch.</summary>
internal enum BatchStep : byte
{
    /// <summary>Nothing: its value is there.</summary>
    Done,

    /// <summary>It is made by the batch's factory.</summary>
    Make,

    /// <summary>Another process makes it.</summary>
    Wait,

    /// <summary>It goes the way of a single key.</summary>
    Single,
}
