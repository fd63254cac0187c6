namespace MemcachedDistributedCache.Load;

/// <summary>Something that is driven by callers.</summary>
internal abstract class Subject(string name, Way way) : IAsyncDisposable
{
    /// <summary>Its name in the table.</summary>
    public string Name { get; } = name;

    /// <summary>How it reaches its servers.</summary>
    public Way Way { get; } = way;

    /// <summary>Whether it counts as the bare loop that others are compared with.</summary>
    public virtual bool IsBareLoop => false;

    /// <summary>Stores the workload's values.</summary>
    public abstract Task PrepareAsync(Workload workload, CancellationToken cancellationToken);

    /// <summary>One caller's operations, one after the other, until its time is up.</summary>
    public abstract Task RunAsync(Caller caller);

    /// <summary>Begins what looks on while the subject is measured, if anything does.</summary>
    public virtual IDisposable? Watch() => null;

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}
