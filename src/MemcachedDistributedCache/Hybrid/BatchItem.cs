namespace MemcachedDistributedCache.Hybrid;

/// <summary>One key of a batch.</summary>
internal sealed class BatchItem<T>(Call<T> call)
{
    public Call<T> Call => call;

    /// <summary>By which right its value is made, once that is known.</summary>
    public Claim Claim { get; set; }

    /// <summary>The versions of its tags from before the factory.</summary>
    public TagStamp[] Stamps { get; set; } = [];

    /// <summary>How often something of no use was removed to make place.</summary>
    public int Discards { get; set; }
}

/// <summary>The next step for a key of a batch.</summary>
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
