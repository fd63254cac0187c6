using System.Buffers;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>Makes of the engine's results what the client's callers get.</summary>
/// <param name="serializer">Reads values.</param>
internal sealed class ClientResults(IMemcachedSerializer serializer)
{
    /// <summary>Where a value of a type is read to: bytes that the caller keeps need an array of their own.</summary>
    public static ValueTarget TargetOf<T>() => IsBytes<T>() ? ValueTarget.OwnArray : ValueTarget.PooledArray;

    /// <summary>The type is one of bytes, which no serializer sees.</summary>
    public static bool IsBytes<T>() => typeof(T) == typeof(byte[]) || typeof(T) == typeof(ReadOnlyMemory<byte>) || typeof(T) == typeof(ReadOnlySequence<byte>);

    /// <summary>The outcome of an operation.</summary>
    /// <exception cref="OperationCanceledException">Its caller has cancelled.</exception>
    public static MemcachedOutcome OutcomeOf(in ClientCall call, in OperationResult result) => result.Status switch
    {
        ResultStatus.Success => MemcachedOutcome.Success,
        ResultStatus.Miss => MemcachedOutcome.NotFound,
        ResultStatus.Conflict => call.Verb is ClientVerb.CompareAndSet or ClientVerb.CompareAndDelete ? MemcachedOutcome.Conflict : MemcachedOutcome.NotStored,
        ResultStatus.TooLarge => MemcachedOutcome.TooLarge,
        ResultStatus.Rejected => MemcachedOutcome.Rejected,
        ResultStatus.Unsupported => MemcachedOutcome.Unsupported,
        ResultStatus.Canceled => throw new OperationCanceledException(call.Token),
        _ when result.Failure!.Reason == MemcachedFailureReason.ServerOutOfMemory => MemcachedOutcome.OutOfMemory,
        _ => call.IsChange && result.Failure.WasSent ? MemcachedOutcome.Unknown : MemcachedOutcome.Unavailable,
    };

    /// <summary>The result of a change.</summary>
    public static MemcachedResult Changed(in ClientCall call, in OperationResult result)
        => new(OutcomeOf(call, result), FailureOf(result), result.Status == ResultStatus.Success ? new MemcachedCas(result.CasToken) : default);

    /// <summary>The result of a change of a number.</summary>
    public static MemcachedResult<ulong> Number(in ClientCall call, in OperationResult result)
        => new(OutcomeOf(call, result), result.Status == ResultStatus.Success ? result.Number : 0, FailureOf(result));

    /// <summary>The result of a read.</summary>
    public MemcachedResult<T> Value<T>(in ClientCall call, in OperationResult result)
    {
        try
        {
            MemcachedOutcome outcome = IsAbsent(result) ? MemcachedOutcome.NotFound : OutcomeOf(call, result);
            return outcome != MemcachedOutcome.Success ? new MemcachedResult<T>(outcome, failure: FailureOf(result))
                : TryRead(result, out T? value) ? new MemcachedResult<T>(outcome, value)
                : new MemcachedResult<T>(MemcachedOutcome.Unreadable);
        }
        finally
        {
            Return(call, result);
        }
    }

    /// <summary>The result of a read of all that the server knows.</summary>
    public MemcachedResult<MemcachedItem<T>> Item<T>(in ClientCall call, in OperationResult result)
    {
        try
        {
            MemcachedOutcome outcome = OutcomeOf(call, result);
            return outcome != MemcachedOutcome.Success ? new MemcachedResult<MemcachedItem<T>>(outcome, failure: FailureOf(result))
                : TryRead(result, out T? value) ? new MemcachedResult<MemcachedItem<T>>(outcome, ItemOf(value!, result))
                : new MemcachedResult<MemcachedItem<T>>(MemcachedOutcome.Unreadable);
        }
        finally
        {
            Return(call, result);
        }
    }

    /// <summary>Copies the value that was read to a caller's writer.</summary>
    public static MemcachedResult<int> Copy(in ClientCall call, in OperationResult result, IBufferWriter<byte> destination)
    {
        try
        {
            MemcachedOutcome outcome = IsAbsent(result) ? MemcachedOutcome.NotFound : OutcomeOf(call, result);
            if (outcome != MemcachedOutcome.Success)
            {
                return new MemcachedResult<int>(outcome, failure: FailureOf(result));
            }

            destination.Write(result.Value.AsSpan(0, result.Length));
            return new MemcachedResult<int>(outcome, result.Length);
        }
        finally
        {
            Return(call, result);
        }
    }

    /// <summary>An item that was marked as stale, or holds the place of one that is being made, is not there for a plain read.</summary>
    private static bool IsAbsent(in OperationResult result)
        => result.Status == ResultStatus.Success && (result.IsStale || (result.Lease != LeaseState.None && result.Length == 0));

    private static MemcachedFailure? FailureOf(in OperationResult result) => result.Failure is { } failure ? new MemcachedFailure(failure) : null;

    private static void Return(in ClientCall call, in OperationResult result)
    {
        if (call.Target == ValueTarget.PooledArray && result.Value is { Length: > 0 } pooled)
        {
            ValueArrays.Return(pooled);
        }
    }

    private static MemcachedItem<T> ItemOf<T>(T value, in OperationResult result) => new(value)
    {
        Cas = new MemcachedCas(result.CasToken),
        Flags = result.Flags,
        Size = result.Length,
        TimeToLive = result.TimeToLive switch
        {
            OperationResult.UnknownTimeToLive => null,
            < 0 => Timeout.InfiniteTimeSpan,
            _ => TimeSpan.FromSeconds(result.TimeToLive),
        },
        LastAccess = result.LastAccess < 0 ? null : TimeSpan.FromSeconds(result.LastAccess),
        WasHitBefore = result.LastAccess < 0 ? null : result.WasHitBefore,
        IsStale = result.IsStale,
        IsFirstToSeeStale = result is { IsStale: true, Lease: LeaseState.Won },
    };

    private bool TryRead<T>(in OperationResult result, out T? value)
    {
        byte[] array = result.Value ?? [];
        if (typeof(T) == typeof(byte[]))
        {
            value = (T)(object)array;
            return true;
        }

        if (IsBytes<T>())
        {
            value = typeof(T) == typeof(ReadOnlyMemory<byte>)
                ? (T)(object)(ReadOnlyMemory<byte>)array
                : (T)(object)new ReadOnlySequence<byte>(array);
            return true;
        }

        return serializer.TryDeserialize(array.AsMemory(0, result.Length), result.Flags, out value);
    }
}
