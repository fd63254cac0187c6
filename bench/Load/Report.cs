using System.Runtime.InteropServices;
using System.Text.Json;

namespace MemcachedDistributedCache.Load;

/// <summary>Writes rows for people and for machines.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>The machine, in one line.</summary>
    public static string Machine
        => $"{Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}, {(System.Runtime.GCSettings.IsServerGC ? "server" : "workstation")} GC";

    /// <summary>Writes how quiet the machine is, and the head of the table.</summary>
    public static void WriteHead(TextWriter output, LoadOptions options, string neighbours)
    {
        output.WriteLine($"Before: {neighbours}");
        output.WriteLine($"{Machine}; {options.Rounds} rounds of {options.Duration.TotalSeconds:0.##} s, medians; ratios to the bare loop of the same transport marked * (the faster; inline for one caller), round by round");
        output.WriteLine();
        output.WriteLine("| op  |   size | callers | subject               |     ops/s | CPU µs | B/op     |   p50 µs |   p99 µs | p99.9 µs | errors | wrong | ops/s ÷ | CPU ÷ | p50 ÷ | p99 ÷ |");
        output.WriteLine("|-----|-------:|--------:|-----------------------|----------:|-------:|---------:|---------:|---------:|---------:|-------:|------:|--------:|------:|------:|------:|");
    }

    /// <summary>Writes rows of the table.</summary>
    public static void Write(TextWriter output, IReadOnlyList<Row> rows, string neighbours)
    {
        foreach (Row row in rows)
        {
            Measurement m = row.Median;
            output.WriteLine($"| {row.Operation,-3} | {row.Size,6} | {row.Callers,7} | {row.Subject + (row.IsBareLoop ? " *" : ""),-21} | {m.Rate,9:0} | {m.Cpu,6:0.00} | {m.Allocated,8:0} | {m.P50,8:0.0} | {m.P99,8:0.0} | {m.P999,8:0.0} | {m.Errors,6} | {m.Wrong,5} | {row.RateRatio,7:0.00} | {row.CpuRatio,5:0.00} | {row.P50Ratio,5:0.00} | {row.P99Ratio,5:0.00} |");
        }

        foreach (Row row in rows.Where(static row => row.RateToPlain is not null && row.IsBesidePlain))
        {
            output.WriteLine($"  {row.Subject} ÷ {Subjects.PlainName}: {row.RateToPlain:0.000} ops/s, {row.CpuToPlain:0.000} CPU");
        }

        foreach (Row row in rows.Where(static row => row.RateToBare is not null))
        {
            output.WriteLine($"  {row.Subject}: resilience on ÷ off: ops/s {row.RateToBare:0.000}, CPU {row.CpuToBare:0.000}");
        }

        foreach (string error in rows.Select(static row => row.Median.FirstError).OfType<string>().Distinct(StringComparer.Ordinal))
        {
            output.WriteLine($"  first error: {error}");
        }

        output.WriteLine($"  meanwhile {neighbours}");
        output.Flush();
    }

    /// <summary>Writes everything as one JSON object.</summary>
    public static void WriteJson(TextWriter output, LoadOptions options, IReadOnlyList<Row> rows)
        => output.WriteLine(JsonSerializer.Serialize(new { machine = Machine, seconds = options.Duration.TotalSeconds, options.Rounds, rows }, Format));
}
