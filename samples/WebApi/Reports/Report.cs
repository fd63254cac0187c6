namespace WebApi.Reports;

/// <summary>Figures of a category of products.</summary>
/// <param name="Category">The category, or <c>all</c>.</param>
/// <param name="Products">How many products it has.</param>
/// <param name="AveragePrice">Their average price.</param>
/// <param name="LowestPrice">The lowest price.</param>
/// <param name="HighestPrice">The highest price.</param>
/// <param name="MadeAt">When the figures were made: a cached report shows the time of its making.</param>
internal sealed record Report(string Category, int Products, decimal AveragePrice, decimal LowestPrice, decimal HighestPrice, DateTimeOffset MadeAt);
