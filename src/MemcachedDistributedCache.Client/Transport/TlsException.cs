namespace MemcachedDistributedCache.Transport;

/// <summary>There is no TLS with a server. The message says why, and which option or setting of the server helps.</summary>
internal sealed class TlsException(string message, Exception? cause = null) : Exception(message, cause);
