namespace MemcachedDistributedCache.Load;

/// <summary>One line of the result: a subject under one workload, the median of its rounds, and how it stands to the bare loop.</summary>
internal sealed record Row
{
    /// <summary>What callers did.</summary>
    public required string Operation { get; init; }

    /// <summary>The values' length.</summary>
    public required int Size { get; init; }

    /// <summary>The number of callers.</summary>
    public required int Callers { get; init; }

    /// <summary>The subject.</summary>
    public required string Subject { get; init; }

    /// <summary>Whether it is the cache by another way, or watched, which is held against the plain one.</summary>
    public required bool IsBesidePlain { get; init; }

    /// <summary>Whether it is the bare loop that the others of its workload and transport are compared with.</summary>
    public required bool IsBareLoop { get; init; }

    /// <summary>Each number is the median of the rounds; errors and wrong values are their sum.</summary>
    public required Measurement Median { get; init; }

    /// <summary>Operations per second ÷ the bare loop's.</summary>
    public required double RateRatio { get; init; }

    /// <summary>CPU per operation ÷ the bare loop's.</summary>
    public required double CpuRatio { get; init; }

    /// <summary>p50 ÷ the bare loop's.</summary>
    public required double P50Ratio { get; init; }

    /// <summary>p99 ÷ the bare loop's.</summary>
    public required double P99Ratio { get; init; }

    /// <summary>Operations per second ÷ those of the cache that nobody watches, where it ran too.</summary>
    public double? RateToPlain { get; init; }

    /// <summary>CPU per operation ÷ that of the cache that nobody watches, where it ran too.</summary>
    public double? CpuToPlain { get; init; }

    /// <summary>Operations per second ÷ those of the same subject with resilience off, where both were driven.</summary>
    public double? RateToBare { get; init; }

    /// <summary>CPU per operation ÷ that of the same subject with resilience off, where both were driven.</summary>
    public double? CpuToBare { get; init; }

    /// <summary>
    /// Makes the rows of one workload. The faster bare loop of a transport counts, with one caller the inline one. A ratio is the
    /// median of the ratios taken round by round: the neighbours in time saw the same machine.
    /// </summary>
    public static IReadOnlyList<Row> Of(Workload workload, int callers, IReadOnlyList<(Subject Subject, List<Measurement> Rounds)> results)
    {
        List<Measurement>? plain = results
            .Where(static r => r.Subject.Name == Subjects.PlainName)
            .Select(static r => r.Rounds)
            .FirstOrDefault();
        return
        [
            .. results
                .Select(result =>
                    (
                        result.Subject,
                        result.Rounds,
                        BareLoop: BareLoopOf(result.Subject.Way.Transport, callers, results),
                        Bare: results.FirstOrDefault(other => other.Subject.Name == result.Subject.Name + Subjects.Bare).Rounds))
                .Select(result => new Row
                {
                    Operation = workload.Verb.ToString().ToLowerInvariant(),
                    Size = workload.Size,
                    Callers = callers,
                    Subject = result.Subject.Name,
                    IsBesidePlain = !result.Subject.IsBareLoop && (!result.Subject.Way.IsPlain || result.Subject.Name is Subjects.MetricsName or Subjects.LoggingName),
                    IsBareLoop = ReferenceEquals(result.Rounds, result.BareLoop),
                    Median = MedianOf(result.Rounds),
                    RateRatio = Ratio(result.Rounds, result.BareLoop, static m => m.Rate),
                    CpuRatio = Ratio(result.Rounds, result.BareLoop, static m => m.Cpu),
                    P50Ratio = Ratio(result.Rounds, result.BareLoop, static m => m.P50),
                    P99Ratio = Ratio(result.Rounds, result.BareLoop, static m => m.P99),
                    RateToPlain = plain is null ? null : Ratio(result.Rounds, plain, static m => m.Rate),
                    CpuToPlain = plain is null ? null : Ratio(result.Rounds, plain, static m => m.Cpu),
                    RateToBare = result.Bare is null ? null : Ratio(result.Rounds, result.Bare, static m => m.Rate),
                    CpuToBare = result.Bare is null ? null : Ratio(result.Rounds, result.Bare, static m => m.Cpu),
                }),
        ];
    }

    /// <summary>
    /// Alone, a caller is not served by any gathering, and the inline bare loop, which is the first, is the one that latency is held
    /// against.
    /// </summary>
    private static List<Measurement> BareLoopOf(Transport transport, int callers, IReadOnlyList<(Subject Subject, List<Measurement> Rounds)> results)
    {
        IEnumerable<List<Measurement>> bareLoops = results
            .Where(result => result.Subject.IsBareLoop && result.Subject.Way.Transport == transport)
            .Select(static result => result.Rounds);
        return callers == 1 ? bareLoops.First() : bareLoops.MaxBy(static rounds => Middle(rounds.Select(static m => m.Rate)))!;
    }

    /// <summary>The median of the ratios taken round by round.</summary>
    public static double Ratio(List<Measurement> rounds, List<Measurement> others, Func<Measurement, double> number)
        => Middle(rounds.Zip(others, (mine, its) => number(mine) / Math.Max(number(its), double.Epsilon)));

    /// <summary>The medians of the rounds.</summary>
    public static Measurement MedianOf(List<Measurement> rounds) => new()
    {
        Rate = Middle(rounds.Select(static m => m.Rate)),
        Cpu = Middle(rounds.Select(static m => m.Cpu)),
        Allocated = Middle(rounds.Select(static m => m.Allocated)),
        P50 = Middle(rounds.Select(static m => m.P50)),
        P99 = Middle(rounds.Select(static m => m.P99)),
        P999 = Middle(rounds.Select(static m => m.P999)),
        Errors = rounds.Sum(static m => m.Errors),
        Wrong = rounds.Sum(static m => m.Wrong),
        FirstError = rounds.Select(static m => m.FirstError).FirstOrDefault(static text => text is not null),
    };

    private static double Middle(IEnumerable<double> numbers)
    {
        double[] sorted = [.. numbers.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
