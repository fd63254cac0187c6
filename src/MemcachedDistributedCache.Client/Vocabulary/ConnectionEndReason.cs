namespace MemcachedDistributedCache.Vocabulary;

/// <summary>Why a connection ended.</summary>
internal enum ConnectionEndReason
{
    /// <summary>It could not be opened, or the peer is no memcached that we can use.</summary>
    ConnectFailed,

    /// <summary>The server closed it.</summary>
    ClosedByServer,

    /// <summary>The socket failed.</summary>
    SocketError,

    /// <summary>The server sent what is no reply to the request.</summary>
    ProtocolViolation,

    /// <summary>Replies are due and no byte comes.</summary>
    Stalled,

    /// <summary>It carried nothing for the idle limit.</summary>
    Idle,

    /// <summary>The cache was disposed.</summary>
    Disposed,
}
