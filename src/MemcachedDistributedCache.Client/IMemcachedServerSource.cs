namespace MemcachedDistributedCache;

/// <summary>
/// Tells a client or a cache which servers there are, in place of <see cref="MemcachedClientOptions.Servers"/>: for a registry of services that
/// this library does not know. Given to <see cref="MemcachedClientOptions.UseServerSource"/>; docs/discovery.md says when it is asked.
/// </summary>
public interface IMemcachedServerSource
{
    /// <summary>The name in the log, such as "service 'mc'". No secret belongs here.</summary>
    string Name { get; }

    /// <summary>
    /// Tells the servers there are now. Never asked a second time while it has not answered. An exception, or no answer within
    /// <see cref="MemcachedClientOptions.ConnectTimeout"/>, changes nothing and is logged.
    /// </summary>
    /// <param name="changed">
    /// May be called, by any thread and any number of times, when the list has become another: the source is asked again then, at
    /// once, and at most every second. It does not block.
    /// </param>
    /// <param name="cancellationToken">Nobody waits for the answer any more.</param>
    /// <returns>
    /// 1 to 512 servers in any order, written as in <see cref="MemcachedClientOptions.Servers"/>, without <c>addresses=each</c> and
    /// <c>discover=</c>. One that is not written so, or an empty list, changes nothing and is logged. All processes that share a
    /// cache must be told the servers alike: the text decides which server has which key.
    /// </returns>
    ValueTask<IReadOnlyList<string>> GetServersAsync(Action changed, CancellationToken cancellationToken);
}
