using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Distributed;

/// <summary>Turns the results of operations that failed into what their callers see: nothing, or an exception by choice.</summary>
internal sealed class FailedOperations(EntryStoreSettings settings, ILogger logger)
{
    /// <summary>Throws for a cancelled operation, and for a failed one if the failure mode says so; otherwise a lost write is logged.</summary>
    public void Report(in OperationResult result, string operation, CancellationToken cancellationToken)
    {
        if (result.Status == ResultStatus.Canceled)
        {
            throw new OperationCanceledException(cancellationToken);
        }

        if (result.Status != ResultStatus.Failed || result.Failure is not { } failure)
        {
            return;
        }

        if (settings.FailureMode == MemcachedFailureMode.Throw)
        {
            string? detail = failure.Reason == MemcachedFailureReason.TimedOut ? settings.Limits : failure.Detail;
            throw new MemcachedUnavailableException(
                operation,
                failure.Server,
                failure.Reason,
                failure.WasSent,
                failure.Node.RetryAfter,
                failure.Cause,
                detail);
        }

        if (operation != "Get" && logger.IsEnabled(LogLevel.Debug))
        {
            DistributedLog.WriteDropped(logger, operation, failure.Server, failure.Reason.ToString());
        }
    }
}
