using System.Runtime.InteropServices;

namespace MemcachedDistributedCache.Testing;

/// <summary>
/// Says if one order of the operations on a key explains all their answers, an order in which each takes effect at one moment between its
/// begin and its end (Wing and Gong's search, with the states that were met before left out).
/// </summary>
public static class Linearizability
{
    /// <summary>How many operations a history may have.</summary>
    public const int MaximumOperations = 128;

    private const int MaximumStates = 1_000_000;

    /// <summary>Looks for such an order.</summary>
    /// <param name="history">The operations on one key, which had no item before.</param>
    /// <param name="mayVanish">As with <see cref="ItemModel.After"/>.</param>
    /// <returns>True if there is one, false if there is none, null if the search was given up.</returns>
    public static bool? Check(IEnumerable<Operation> history, bool mayVanish)
    {
        // What was not sent never takes effect, and is an answer that is always possible under faults.
        Operation[] operations =
            [.. history.Where(static o => o.Answer.Outcome != MemcachedOutcome.Unavailable).OrderBy(static o => o.Begin)];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(operations.Length, MaximumOperations, nameof(history));
        UInt128 mustBeDone = 0;
        for (int i = 0; i < operations.Length; i++)
        {
            mustBeDone |= operations[i].IsOptional ? 0 : UInt128.One << i;
        }

        var met = new HashSet<(UInt128 Done, ItemModel Item)>();
        var open = new Stack<(UInt128 Done, ItemModel Item)>();
        open.Push((0, default));
        while (open.TryPop(out (UInt128 Done, ItemModel Item) state))
        {
            if ((state.Done & mustBeDone) == mustBeDone)
            {
                return true;
            }

            if (!met.Add(state))
            {
                continue;
            }

            if (met.Count > MaximumStates)
            {
                return null;
            }

            PushNext(operations, state.Done, state.Item, mayVanish, open);
        }

        return false;
    }

    private static void PushNext(
        Operation[] operations,
        UInt128 done,
        ItemModel item,
        bool mayVanish,
        Stack<(UInt128 Done, ItemModel Item)> open)
    {
        // An operation that began after another ended cannot come before it.
        long firstEnd = long.MaxValue;
        for (int i = 0; i < operations.Length; i++)
        {
            if ((done & (UInt128.One << i)) == 0 && !operations[i].IsOptional)
            {
                firstEnd = long.Min(firstEnd, operations[i].End);
            }
        }

        // Nor can an optional one that has ended come after one that began later.
        long lastBegin = done == 0 ? long.MinValue : operations[127 - (int)UInt128.LeadingZeroCount(done)].Begin;

        // The last that is pushed is tried first: those that must be done before those that may be.
        foreach (bool optional in (ReadOnlySpan<bool>)[true, false])
        {
            for (int i = operations.Length - 1; i >= 0; i--)
            {
                Operation operation = operations[i];
                if (operation.IsOptional == optional
                    && (done & (UInt128.One << i)) == 0
                    && operation.Begin <= firstEnd
                    && (!optional || operation.End >= lastBegin)
                    && item.After(operation.Call, operation.Answer, 0, mayVanish) is { } next)
                {
                    open.Push((done | (UInt128.One << i), next));
                }
            }
        }
    }

    /// <summary>One operation of a history.</summary>
    /// <param name="Begin">When it was begun.</param>
    /// <param name="End">When its answer was there; <see cref="long.MaxValue"/> where the outcome is unknown.</param>
    /// <param name="Call">What was asked.</param>
    /// <param name="Answer">What was told.</param>
    [StructLayout(LayoutKind.Auto)]
    public readonly record struct Operation(long Begin, long End, ModelCall Call, ModelAnswer Answer)
    {
        /// <summary>Nobody knows if the operation took place: it did at any moment between its begin and its end, or never.</summary>
        public bool IsOptional => Answer.Outcome == MemcachedOutcome.Unknown;

        /// <inheritdoc/>
        public override string ToString()
            => $"{Begin}-{End} {Call.Verb} '{Call.Value}' cas {Call.Cas} by {Call.Delta} from {Call.Initial}: "
                + $"{Answer.Outcome} '{Answer.Value}' {Answer.Number} cas {Answer.Cas}";
    }
}
