using System.Buffers;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// The operations of a cache on its entries. Every method serves asynchronous and synchronous callers; for the latter it is
/// complete when it returns.
/// </summary>
internal interface IEntryStore
{
    /// <summary>Reads a value into an array of its own, or null.</summary>
    ValueTask<byte[]?> GetAsync(string key, CallMode mode, CancellationToken cancellationToken);

    /// <summary>
    /// Reads a value into the caller's writer; false where there is none, or where it does not pass the check: then it
    /// is removed, unless it has been replaced.
    /// </summary>
    ValueTask<bool> TryGetAsync(
        string key,
        IBufferWriter<byte> destination,
        CallMode mode,
        CancellationToken cancellationToken,
        Func<ReadOnlyMemory<byte>, bool>? check = null);

    /// <summary>
    /// Stores a value; one that is expired already or too large leaves nothing under the key. A retry stores what
    /// <paramref name="again"/> gives, where that is not null.
    /// </summary>
    ValueTask SetAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        CallMode mode,
        CancellationToken cancellationToken,
        Func<ReadOnlySequence<byte>>? again = null);

    /// <summary>Stores a value where the server has none under the key; false where it has, or where the value was not stored.</summary>
    ValueTask<bool> AddAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        CallMode mode,
        CancellationToken cancellationToken);

    /// <summary>Moves the window of a sliding entry; downloads no value.</summary>
    ValueTask RefreshAsync(string key, CallMode mode, CancellationToken cancellationToken);

    /// <summary>Removes an entry.</summary>
    ValueTask RemoveAsync(string key, CallMode mode, CancellationToken cancellationToken);
}
