using System.Runtime.InteropServices;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The request of a caller.</summary>
/// <param name="Key">The key.</param>
/// <param name="Options">The options.</param>
/// <param name="Tags">The names of the tags.</param>
/// <param name="Factory">The factory.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct GetOrCreateRequest<TState, T>(
    string Key,
    CallOptions Options,
    IReadOnlyList<string> Tags,
    ValueFactory<TState, T> Factory)
{
    /// <summary>
    /// It is one key of a batch: nobody joins it, as the batch's factory is another than that of who asks for the key
    /// alone.
    /// </summary>
    public bool IsOfBatch { get; init; }
}

/// <summary>Makes <see cref="GetOrCreateRequest{TState, T}"/> without its types being written out.</summary>
internal static class GetOrCreateRequest
{
    public static GetOrCreateRequest<TState, T> Of<TState, T>(
        string key,
        CallOptions options,
        IReadOnlyList<string> tags,
        ValueFactory<TState, T> factory)
        => new(key, options, tags, factory);
}
