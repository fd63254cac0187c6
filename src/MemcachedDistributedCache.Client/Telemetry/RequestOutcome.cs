namespace MemcachedDistributedCache.Telemetry;

/// <summary>How a request ended, as metrics and spans tell it.</summary>
internal enum RequestOutcome
{
    /// <summary>Done: found, stored, touched or deleted.</summary>
    Success,

    /// <summary>The item was not there.</summary>
    Miss,

    /// <summary>A store's condition did not hold.</summary>
    Conflict,

    /// <summary>The caller cancelled.</summary>
    Canceled,

    /// <summary>The server refuses what was asked, or has no command for it; nothing was changed.</summary>
    Rejected,

    /// <summary>The server refused the value's size. From here on outcomes are errors.</summary>
    TooLarge,

    /// <summary>The server cannot be reached; nothing was sent.</summary>
    Unavailable,

    /// <summary>No answer came in time.</summary>
    Timeout,

    /// <summary>The connection broke under way.</summary>
    ConnectionLost,

    /// <summary>Too much waits for the server; nothing was sent.</summary>
    Overloaded,

    /// <summary>The server had no memory for the item.</summary>
    OutOfMemory,

    /// <summary>The server answered with another error.</summary>
    ServerError,

    /// <summary>Something else.</summary>
    Other,
}

/// <summary>The texts of outcomes.</summary>
internal static class RequestOutcomes
{
    /// <summary>How many there are.</summary>
    public const int Count = (int)RequestOutcome.Other + 1;

    /// <summary>The request failed.</summary>
    public static bool IsError(this RequestOutcome outcome) => outcome >= RequestOutcome.TooLarge;

    /// <summary>The value of <see cref="AttributeNames.Outcome"/>.</summary>
    public static string Text(this RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.Success => "success",
        RequestOutcome.Miss => "miss",
        RequestOutcome.Conflict => "conflict",
        RequestOutcome.Canceled => "canceled",
        RequestOutcome.Rejected => "rejected",
        _ => "error",
    };

    /// <summary>The value of <see cref="AttributeNames.ErrorType"/>.</summary>
    public static string ErrorText(this RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.TooLarge => "too_large",
        RequestOutcome.Unavailable => "unavailable",
        RequestOutcome.Timeout => "timeout",
        RequestOutcome.ConnectionLost => "connection_lost",
        RequestOutcome.Overloaded => "overloaded",
        RequestOutcome.OutOfMemory => "out_of_memory",
        RequestOutcome.ServerError => "server_error",
        _ => "_OTHER",
    };
}
