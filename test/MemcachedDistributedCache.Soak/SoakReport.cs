using System.Text;

namespace MemcachedDistributedCache.Soak;

/// <summary>What a run found. Everything under "must be 0" decides its exit code.</summary>
public sealed record SoakReport
{
    /// <summary>What was run.</summary>
    public required SoakOptions Options { get; init; }

    /// <summary>The options that the seed chose.</summary>
    public required string Setting { get; init; }

    /// <summary>What the callers did and saw.</summary>
    public required SoakTally Tally { get; init; }

    /// <summary>Faults made, by kind.</summary>
    public required IReadOnlyDictionary<string, int> Faults { get; init; }

    /// <summary>Operations that had no answer, as the nodes count them.</summary>
    public required long Errors { get; init; }

    /// <summary>Callers that did not end.</summary>
    public required int Hung { get; init; }

    /// <summary>Nodes that were not whole again in time after the last fault.</summary>
    public required int NotRecovered { get; init; }

    /// <summary>Replies still awaited when nobody called any more.</summary>
    public required int PendingLeft { get; init; }

    /// <summary>Sockets more than before the cache was made.</summary>
    public required int SocketsLeft { get; init; }

    /// <summary>Pooled arrays that were not given back.</summary>
    public required long BuffersLeft { get; init; }

    /// <summary>Managed bytes in use after a collection: before the load and after it.</summary>
    public required (long Start, long End) Managed { get; init; }

    /// <summary>Resident bytes: before the load and after it.</summary>
    public required (long Start, long End) Resident { get; init; }

    /// <summary>What the longest call may take on this machine.</summary>
    public required TimeSpan LongestAllowed { get; init; }

    /// <summary>Whether all that must be 0 is, and no call took too long.</summary>
    public bool IsClean => Tally is { Wrong: 0, Stale: 0, LostDeletes: 0, Unexpected: 0 }
        && Tally.Longest <= LongestAllowed
        && (Hung, NotRecovered, PendingLeft, SocketsLeft, BuffersLeft) == (0, 0, 0, 0, 0L);

    /// <summary>For people.</summary>
    public string Text
    {
        get
        {
            var text = new StringBuilder();
            Line("run", $"{Options.Duration.TotalMinutes:0.##} min, seed {Options.Seed}, {Options.Callers} callers, {Options.Threads} threads; {Setting}");
            Line("operations", $"{Tally.Operations:N0}: {Tally.Reads:N0} reads ({Tally.Hits:N0} hits), {Tally.Writes:N0} writes, {Tally.Removals:N0} removals, {Tally.Refreshes:N0} refreshes");
            Line("of these", $"{Tally.Cancelled:N0} cancelled, {Errors:N0} without an answer; the longest took {Tally.LongestText}");
            Line(
                "faults",
                $"{Faults.Values.Sum():N0}: {string.Join(", ", Faults.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => $"{f.Value} {f.Key}"))}");
            Line(
                "memory",
                $"managed {Mega(Managed.Start)} -> {Mega(Managed.End)} MB, resident {Mega(Resident.Start)} -> {Mega(Resident.End)} MB");
            text.AppendLine("must be 0:");
            Line("  wrong values", $"{Tally.Wrong}");
            Line("  stale reads", $"{Tally.Stale}");
            Line("  lost deletes", $"{Tally.LostDeletes}");
            Line("  unexpected errors", $"{Tally.Unexpected}");
            Line("  hung callers", $"{Hung}");
            Line("  nodes not recovered", $"{NotRecovered}");
            Line("  replies left pending", $"{PendingLeft}");
            Line("  sockets left", $"{SocketsLeft}");
            Line("  pooled arrays left", $"{BuffersLeft}");
            Line(
                "  overlong calls",
                Tally.Longest <= LongestAllowed
                    ? "0"
                    : $"the longest took {Tally.LongestText}, and {LongestAllowed.TotalSeconds:0.00} s are allowed");
            foreach (string complaint in Tally.Complaints)
            {
                Line("  complaint", complaint);
            }

            text.AppendLine(IsClean ? "clean" : "NOT CLEAN");
            return text.ToString();

            void Line(string name, string what) => text.Append(name.PadRight(24)).AppendLine(what);
        }
    }

    private static string Mega(long bytes) => (bytes / 1048576.0).ToString("0.0");
}
