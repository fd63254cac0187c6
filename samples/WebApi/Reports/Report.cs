namespace WebApi.Reports;

/// <summary>Figures of a category of products.</summary>
/// <param name="Category">The category, or <c>all</c>.</param>
/// <param name="Products">How many products it has.</param>
/// <param name="AveragePrice">Their average price.</param>
/// <param name="LowestPrice">The lowest price.</param>
/// <param name="HighestPrice">The highest price.</param>
/// <param name="MadeAt">When the figures were made: a cached report shows the time of its making.</param>
internal sealed record Report(string Category, int Products, decimal AveragePrice, decimal LowestPrice, decimal HighestPrice, DateTimeOffset MadeAt);

/// <summary>The body of a repricing.</summary>
/// <param name="Percent">By how much all prices change; null where the caller left it out, which is refused.</param>
internal sealed record Repricing(decimal? Percent)
{
    /// <summary>What is wrong with it, in the form of validation problem details; empty when nothing is.</summary>
    public Dictionary<string, string[]> Validate() => Percent switch
    {
        null => new() { ["percent"] = ["The percent is missing."] },
        < -50 or > 100 => new() { ["percent"] = ["The percent must be from -50 to 100."] },
        _ => [],
    };
}

/// <summary>How many products have a new price.</summary>
internal sealed record Repriced(int Products);
