using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Values of one type come back from their serializer. The first that is written is read back before it is stored: what
/// nobody can read would be written and made anew by every process for ever. A type that cannot be read is refused from then on. A
/// type that has passed is not looked at again, unless a value turns up that cannot be read; and then only a value of this process
/// is judged, as what lies in the cluster may be a stranger's. Values that cannot be written refuse a type only while none has
/// passed. In development what is read back is also compared with what was written, once. Thread-safe without a lock: two threads
/// may both prove the same type.
/// </summary>
/// <param name="logger">Where it is told.</param>
/// <param name="compare">Compares a value with what came back of it; null where that is not wanted.</param>
/// <param name="describe">The member that an exception is about, by its message.</param>
internal sealed class SerializationProof<T>(
    ILogger logger,
    Func<T, T, IReadOnlyList<ValueDifference>>? compare,
    Func<string, string>? describe = null)
{
    private const int Open = 0;
    private const int Passed = 1;
    private const int Refused = 2;

    /// <summary>Passed once, and to be proved again, as a value has turned up that cannot be read.</summary>
    private const int Reopened = 3;

    /// <summary>One value may hold what cannot be written, in a member of type object; so many in a row are the type's fault.</summary>
    private const int MaximumUnwritable = 3;

    private Func<T, T, IReadOnlyList<ValueDifference>>? _compare = compare;
    private int _state;
    private int _unwritable;

    /// <summary>Values of the type are not written any more.</summary>
    public bool IsRefused => Volatile.Read(ref _state) == Refused;

    private static string Name => typeof(T).ToString();

    /// <summary>A value that has been written may be stored.</summary>
    public bool Holds(ValueCodec<T> codec, T value, PayloadKind kind, ReadOnlyMemory<byte> payload)
    {
        int state = Volatile.Read(ref _state);
        if (state is Passed or Refused)
        {
            return state == Passed;
        }

        T copy;
        try
        {
            copy = codec.Read(kind, payload);
        }
        catch (Exception exception)
        {
            if (!IsOfType(exception))
            {
                HybridLog.HybridNotSerializable(logger, Name, exception);
            }
            else if (TryRefuse(state))
            {
                HybridLog.HybridNeverCached(
                    logger,
                    Name,
                    $"they can be written but not read back: {Reason(exception)}",
                    Remedies.Unreadable(typeof(T)));
            }

            return false;
        }

        Interlocked.CompareExchange(ref _state, Passed, state);
        if (_compare is not null && Interlocked.Exchange(ref _compare, null) is { } comparison)
        {
            foreach (ValueDifference difference in comparison(value, copy))
            {
                HybridLog.HybridNotCarried(logger, Name, difference.Member, difference.What, difference.Remedy);
            }
        }

        return true;
    }

    /// <summary>A value could not be written.</summary>
    public void NoteUnwritable(Exception exception)
    {
        HybridLog.HybridNotSerializable(logger, Name, exception);
        if (exception is NotSupportedException && Interlocked.Increment(ref _unwritable) >= MaximumUnwritable && TryRefuse(Open))
        {
            HybridLog.HybridNeverCached(logger, Name, $"they cannot be written: {Reason(exception)}", Remedies.Unwritable(typeof(T)));
        }
    }

    /// <summary>A value that somebody wrote could not be read: the next that this process writes is read back again.</summary>
    public void NoteUnreadable(Exception exception)
    {
        if (IsOfType(exception))
        {
            Interlocked.CompareExchange(ref _state, Reopened, Passed);
        }
    }

    /// <summary>Fields are left out of what is written.</summary>
    public void NoteLeftOut(IReadOnlyList<string> fields, Exception exception)
    {
        foreach (string field in fields)
        {
            HybridLog.HybridNotCarried(
                logger,
                Name,
                field,
                $"the field cannot be written and is left out ({Reason(exception)})",
                Remedies.Field(typeof(T)));
        }
    }

    private bool TryRefuse(int from) => Interlocked.CompareExchange(ref _state, Refused, from) == from;

    /// <summary>
    /// An exception is about the type, whatever the value. What a setter or constructor of the application throws is not.
    /// </summary>
    private static bool IsOfType(Exception exception)
        => exception is NotSupportedException or InvalidOperationException { Source: "System.Text.Json" };

    /// <summary>
    /// The message of an exception. The path behind it is told by the members in it alone, as it may hold keys of dictionaries.
    /// </summary>
    private string Reason(Exception exception)
    {
        string text = exception.Message;
        int path = text.IndexOf(" Path: ", StringComparison.Ordinal);
        return path < 0
            ? $"{exception.GetType().Name}: {text}"
            : $"{exception.GetType().Name}: {text[..path]}{(describe?.Invoke(text[(path + 7)..]) is { Length: > 0 } member ? $" Member: {member}." : "")}";
    }
}
