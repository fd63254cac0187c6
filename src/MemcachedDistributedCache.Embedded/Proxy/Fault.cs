namespace MemcachedDistributedCache.Embedded;

/// <summary>The faults of a <see cref="FaultProxy"/>. Immutable; <c>with</c> makes variants.</summary>
public sealed record Fault
{
    /// <summary>Everything passes.</summary>
    public static Fault None { get; } = new();

    /// <summary>New connections are refused, as if nobody listened; existing ones go on.</summary>
    public static Fault Refuse { get; } = new() { RefuseConnections = true };

    /// <summary>The fault of requests, from the client to the server. Default: none.</summary>
    public StreamFault ToServer { get; init; } = StreamFault.None;

    /// <summary>The fault of replies, from the server to the client. Default: none.</summary>
    public StreamFault ToClient { get; init; } = StreamFault.None;

    /// <summary>New connections are refused. Default false.</summary>
    public bool RefuseConnections { get; init; }

    /// <summary>A fault of the replies alone.</summary>
    /// <param name="fault">What goes wrong with them.</param>
    public static Fault OnReplies(StreamFault fault) => new() { ToClient = fault };

    /// <summary>A fault of the requests alone.</summary>
    /// <param name="fault">What goes wrong with them.</param>
    public static Fault OnRequests(StreamFault fault) => new() { ToServer = fault };

    internal static void Validate(Fault fault)
    {
        if (fault.ToServer is null || fault.ToClient is null)
        {
            throw new ArgumentException(
                $"{nameof(Fault)}.{nameof(ToServer)} and .{nameof(ToClient)} may not be null: use {nameof(StreamFault)}.{nameof(StreamFault.None)}.",
                nameof(fault));
        }

        fault.ToServer.Validate(nameof(ToServer));
        fault.ToClient.Validate(nameof(ToClient));
    }
}
