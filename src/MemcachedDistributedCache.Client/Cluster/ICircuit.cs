namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Judges by what became of its requests whether a node is worth asking. Open, it lets nothing pass; when its pause is
/// over it is half open, for one probe, which closes it or opens it for longer.
/// </summary>
internal interface ICircuit
{
    /// <summary>How long until the next probe; zero when it is due, or the circuit is closed.</summary>
    TimeSpan UntilProbe { get; }

    /// <summary>Tells how requests fared since the last report; true if that opened the circuit.</summary>
    bool Report(long answered, long failed);

    /// <summary>
    /// Opens the circuit whatever was reported: the server cannot be reached at all. Runs under the lock of the node's
    /// health, and must not wait.
    /// </summary>
    void Trip();

    /// <summary>Runs a probe if one is due; whether there was one, and it succeeded.</summary>
    Task<bool> ProbeAsync(Func<CancellationToken, ValueTask<bool>> probe, CancellationToken cancellationToken);
}
