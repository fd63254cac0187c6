using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>The names under which operations are watched.</summary>
internal static class OperationNames
{
    /// <summary>The name of each <see cref="OperationKind"/>, in lower case; a store is memcached's <c>set</c>.</summary>
    public static IReadOnlyList<string> All { get; } =
    [.. Enum.GetValues<OperationKind>().Select(static kind => kind == OperationKind.Store ? "set" : kind.ToString().ToLowerInvariant())];
}

/// <summary>Tells results in the words of metrics.</summary>
internal static class OutcomeNames
{
    /// <summary>The outcome that a result is.</summary>
    public static RequestOutcome Of(in OperationResult result) => result.Status switch
    {
        ResultStatus.Success => RequestOutcome.Success,
        ResultStatus.Miss => RequestOutcome.Miss,
        ResultStatus.Conflict => RequestOutcome.Conflict,
        ResultStatus.Canceled => RequestOutcome.Canceled,
        ResultStatus.TooLarge => RequestOutcome.TooLarge,
        ResultStatus.Rejected or ResultStatus.Unsupported => RequestOutcome.Rejected,
        _ => result.Failure is { } failure ? Of(failure.Reason) : RequestOutcome.Other,
    };

    /// <summary>A name of ours as attributes have names: <c>ConnectFailed</c> is <c>connect_failed</c>.</summary>
    public static string Snake(string name)
        => string.Concat(
            name.Select(static (c, i) => char.IsUpper(c) && i > 0 ? "_" + char.ToLowerInvariant(c) : char.ToLowerInvariant(c).ToString()));

    /// <summary>The outcome that a failure is.</summary>
    public static RequestOutcome Of(MemcachedFailureReason reason) => reason switch
    {
        MemcachedFailureReason.Unavailable => RequestOutcome.Unavailable,
        MemcachedFailureReason.TimedOut => RequestOutcome.Timeout,
        MemcachedFailureReason.ConnectionLost => RequestOutcome.ConnectionLost,
        MemcachedFailureReason.Overloaded => RequestOutcome.Overloaded,
        MemcachedFailureReason.ServerOutOfMemory => RequestOutcome.OutOfMemory,
        MemcachedFailureReason.ServerError => RequestOutcome.ServerError,
        _ => RequestOutcome.Other,
    };
}
