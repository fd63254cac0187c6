using MemcachedDistributedCache.Diagnostics;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>What all connections of a cluster have in common.</summary>
internal sealed record ConnectionSettings
{
    /// <summary>Opens the sockets.</summary>
    public required ConnectionFactory Factory { get; init; }

    /// <summary>The clock of operation deadlines.</summary>
    public required OperationClock Clock { get; init; }

    /// <summary>Tells from client flags whether a prefix stands before the value.</summary>
    public required Func<uint, bool> HasPrefix { get; init; }

    /// <summary>The largest value that is kept, prefix included; one that another client has stored may be larger, and is a miss.</summary>
    public int LargestKept { get; init; } = int.MaxValue;

    /// <summary>The clock of everything else.</summary>
    public required TimeProvider TimeProvider { get; init; }

    /// <summary>What the cache tells whoever listens; nothing by default.</summary>
    public CacheTelemetry Telemetry { get; init; } = CacheTelemetry.Silent;

    /// <summary>The limit of name resolution, connect and handshake together.</summary>
    public required TimeSpan ConnectTimeout { get; init; }

    /// <summary>How long a connection may carry nothing before it is closed; infinite for ever.</summary>
    public required TimeSpan IdleTimeout { get; init; }

    /// <summary>How many replies may be awaited on one connection.</summary>
    public required int MaximumPendingOperations { get; init; }

    /// <summary>How many bytes may wait to be sent on one connection.</summary>
    public required long MaximumBufferedBytes { get; init; }
}

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

/// <summary>How a connection ended: the first cause, and in words.</summary>
internal sealed record ConnectionEnd(ConnectionEndReason Reason, string Message, Exception? Cause = null);
