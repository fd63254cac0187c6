using System.Threading.Tasks.Sources;

namespace MemcachedDistributedCache.Load.Fence;

/// <summary>A caller's one operation, used again and again: a bare loop needs no pool.</summary>
internal sealed class BareLoopOperation(bool completeInline) : IValueTaskSource<byte[]?>
{
    private ManualResetValueTaskSourceCore<byte[]?> _source = new() { RunContinuationsAsynchronously = !completeInline };

    /// <summary>Its next result.</summary>
    public ValueTask<byte[]?> Task => new(this, _source.Version);

    /// <summary>Makes it ready for the next request.</summary>
    public void Reset() => _source.Reset();

    /// <summary>Gives the result to the caller.</summary>
    public void Complete(byte[]? value) => _source.SetResult(value);

    /// <summary>Gives the caller a failure.</summary>
    public void Fail(Exception exception) => _source.SetException(exception);

    byte[]? IValueTaskSource<byte[]?>.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<byte[]?>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<byte[]?>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        => _source.OnCompleted(continuation, state, token, flags);
}
