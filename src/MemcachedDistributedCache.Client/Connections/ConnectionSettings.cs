using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>The settings that all connections of a cluster share.</summary>
internal sealed record ConnectionSettings
{
    /// <summary>
    /// Behind an address stand several servers: its connections are alike, and what one of them is told of an item holds
    /// on all of them as far as it holds at all.
    /// </summary>
    public bool IsShared { get; init; }

    /// <summary>Opens the sockets.</summary>
    public required ConnectionFactory Factory { get; init; }

    /// <summary>The user and the password of the servers; null where none is sent.</summary>
    public Credentials? Credentials { get; init; }

    /// <summary>The commands that servers are asked by.</summary>
    public MemcachedProtocol Protocol { get; init; }

    /// <summary>The clock of operation deadlines.</summary>
    public required OperationClock Clock { get; init; }

    /// <summary>Tells from client flags whether a prefix stands before the value.</summary>
    public required Func<uint, bool> HasPrefix { get; init; }

    /// <summary>The largest value that is kept, prefix included; one that another client has stored may be larger, and is a miss.</summary>
    public int LargestKept { get; init; } = int.MaxValue;

    /// <summary>The clock of everything else.</summary>
    public required TimeProvider TimeProvider { get; init; }

    /// <summary>The telemetry of the cache; silent by default.</summary>
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
