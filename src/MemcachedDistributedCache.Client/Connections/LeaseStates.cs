using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>Reads the state of a lease from a reply.</summary>
internal static class LeaseStates
{
    /// <summary>The state that a reply tells.</summary>
    public static LeaseState Of(in MetaReply reply) => reply.IsWon ? LeaseState.Won : reply.IsLeased ? LeaseState.Taken : LeaseState.None;
}
