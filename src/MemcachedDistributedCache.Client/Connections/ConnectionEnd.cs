using MemcachedDistributedCache.Vocabulary;
namespace MemcachedDistributedCache.Connections;

/// <summary>How a connection ended: the first cause, and in words.</summary>
internal sealed record ConnectionEnd(ConnectionEndReason Reason, string Message, Exception? Cause = null);
