using System.Reflection;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Locks;

/// <summary>
/// The part of a client that locks use, on one item and one counter in memory, by a clock that the test moves. The next answers can be
/// taken away. Blocking calls do what the others do.
/// </summary>
public class FakeLockServer : DispatchProxy
{
    private readonly System.Threading.Lock _lock = new();
    private readonly Queue<(string Verb, MemcachedOutcome Outcome, bool IsDone)> _failures = [];
    private object _connection = new();
    private ulong _lastCas;
    private (string Owner, ulong Cas, long End)? _item;
    private ulong? _counter;

    /// <summary>The clock.</summary>
    public ManualTimeProvider Time { get; } = new();

    /// <summary>All calls, by their names without <c>Async</c>.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>No call is answered.</summary>
    public bool IsDown { get; set; }

    /// <summary>Runs before each call.</summary>
    public Action<string> Before { get; set; } = static _ => { };

    /// <summary>Who has the lock.</summary>
    public string? Owner
    {
        get
        {
            lock (_lock)
            {
                return Item_NeedsLock()?.Owner;
            }
        }

        set
        {
            lock (_lock)
            {
                _item = value is null ? null : (value, ++_lastCas, long.MaxValue);
            }
        }
    }

    /// <summary>How often a verb was called.</summary>
    public int CountOf(string verb)
    {
        lock (_lock)
        {
            return Calls.Count(call => call == verb);
        }
    }

    /// <summary>Lets the next call of a verb end so.</summary>
    public void Fail(string verb, MemcachedOutcome outcome, bool isDone = false) => _failures.Enqueue((verb, outcome, isDone));

    /// <summary>From now on the states that were told are of a connection that has ended.</summary>
    public void Reconnect() => _connection = new object();

    /// <summary>The server has lost the counter.</summary>
    public void LoseCounter() => _counter = null;

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        string verb = targetMethod!.Name.Replace("Async", "", StringComparison.Ordinal);
        bool isAsync = verb != targetMethod.Name;
        Before(verb);
        lock (_lock)
        {
            Calls.Add(verb);
            MemcachedOutcome? failure = IsDown ? MemcachedOutcome.Unavailable : null;
            bool isDone = true;
            if (_failures.TryPeek(out (string Verb, MemcachedOutcome Outcome, bool IsDone) next) && next.Verb == verb)
            {
                _failures.Dequeue();
                (failure, isDone) = (next.Outcome, next.IsDone);
            }

            isDone &= !IsDown;
            return verb switch
            {
                "Add" or "CompareAndSet" or "CompareAndDelete" => Wrap(Change_NeedsLock(verb, args!, failure, isDone), isAsync),
                "GetItem" => Wrap(Read_NeedsLock(failure), isAsync),
                "Increment" => Wrap(Count_NeedsLock((ulong)args![2]!, failure, isDone), isAsync),
                _ => throw new NotSupportedException(verb),
            };
        }
    }

    private static object Wrap<T>(T result, bool isAsync) => isAsync ? new ValueTask<T>(result) : result!;

    private (string Owner, ulong Cas, long End)? Item_NeedsLock() => _item is { } item && item.End > Time.GetTimestamp() ? item : null;

    private MemcachedCas Cas_NeedsLock(ulong number) => new(new CasToken(number, _connection));

    private MemcachedResult Change_NeedsLock(string verb, object?[] args, MemcachedOutcome? failure, bool isDone)
    {
        MemcachedCas? cas = args.OfType<MemcachedCas>().Cast<MemcachedCas?>().FirstOrDefault();
        bool isNewest = cas is { } given && Item_NeedsLock() is { } item && given == Cas_NeedsLock(item.Cas);
        MemcachedOutcome outcome = (verb, Item_NeedsLock() is not null, isNewest) switch
        {
            ("Add", false, _) => MemcachedOutcome.Success,
            ("Add", true, _) => MemcachedOutcome.NotStored,
            (_, false, _) => MemcachedOutcome.NotFound,
            (_, true, true) => MemcachedOutcome.Success,
            _ => MemcachedOutcome.Conflict,
        };
        if (outcome == MemcachedOutcome.Success && (failure is null || isDone))
        {
            _item = verb == "CompareAndDelete"
                ? null
                : ((string)args[1]!, ++_lastCas, Time.GetTimestamp() + args.OfType<TimeSpan>().Single().Ticks);
        }

        return failure is { } failed ? new MemcachedResult(failed) : new MemcachedResult(outcome, null, Cas_NeedsLock(_lastCas));
    }

    private MemcachedResult<MemcachedItem<string>> Read_NeedsLock(MemcachedOutcome? failure)
        => failure is { } failed
            ? new MemcachedResult<MemcachedItem<string>>(failed)
            : Item_NeedsLock() is { } item
                ? new MemcachedResult<MemcachedItem<string>>(
                    MemcachedOutcome.Success,
                    new MemcachedItem<string>(item.Owner) { Cas = Cas_NeedsLock(item.Cas) })
                : new MemcachedResult<MemcachedItem<string>>(MemcachedOutcome.NotFound);

    private MemcachedResult<ulong> Count_NeedsLock(ulong initial, MemcachedOutcome? failure, bool isDone)
    {
        if (failure is null || isDone)
        {
            _counter = _counter + 1 ?? initial;
        }

        return failure is { } failed ? new MemcachedResult<ulong>(failed) : new MemcachedResult<ulong>(MemcachedOutcome.Success, _counter!.Value);
    }
}
