namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Keeps a caller's execution context, with its async locals, log scopes and activity, out of work that outlives the
/// call.
/// </summary>
internal static class FlowGuard
{
    /// <summary>
    /// Suppresses the flow until the result is disposed, on the same thread; does nothing where it is suppressed
    /// already.
    /// </summary>
    public static Suppression Suppress() => new(ExecutionContext.IsFlowSuppressed() ? null : ExecutionContext.SuppressFlow());

    internal readonly struct Suppression(AsyncFlowControl? control) : IDisposable
    {
        public void Dispose() => control?.Undo();
    }
}
