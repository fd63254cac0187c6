namespace MemcachedDistributedCache.Embedded.Proxy;

/// <summary>The fault in force, and a token that ends every wait under it when another takes its place.</summary>
internal sealed class FaultState(Fault fault, CancellationToken replaced)
{
    public Fault Fault { get; } = fault;

    public CancellationToken Replaced { get; } = replaced;
}

/// <summary>Holds the one fault that all connections look at.</summary>
internal sealed class FaultSwitch : IDisposable
{
    private readonly Lock _lock = new();
    private CancellationTokenSource _replaced = new();
    private volatile FaultState _current;

    public FaultSwitch(Fault fault) => _current = new FaultState(fault, _replaced.Token);

    public FaultState Current => _current;

    public void Set(Fault fault)
    {
        CancellationTokenSource old;
        lock (_lock)
        {
            old = _replaced;
            _replaced = new CancellationTokenSource();
            _current = new FaultState(fault, _replaced.Token);
        }

        old.Cancel();
        old.Dispose();
    }

    public void Dispose() => _replaced.Dispose();
}
