namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// Puts a task behind what leaves the library. A pooled <see cref="ValueTask"/> is cheaper by some 90 bytes, but asked
/// for its result too early, or twice, it breaks the call of somebody else who has got the same box by then, up to the
/// end of the process. A task forgives both. What is complete when it is returned costs nothing.
/// </summary>
internal static class PublicEdge
{
    public static ValueTask<T> Unpooled<T>(this ValueTask<T> pooled)
        => pooled.IsCompletedSuccessfully ? new ValueTask<T>(pooled.Result) : new ValueTask<T>(pooled.AsTask());

    public static ValueTask Unpooled(this ValueTask pooled)
    {
        if (!pooled.IsCompletedSuccessfully)
        {
            return new ValueTask(pooled.AsTask());
        }

        // Gives the box back.
        pooled.GetAwaiter().GetResult();
        return default;
    }
}
