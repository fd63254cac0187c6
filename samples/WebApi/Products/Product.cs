namespace WebApi.Products;

/// <summary>A product as the API shows it and as the cache holds it.</summary>
/// <param name="Id">The id.</param>
/// <param name="Name">The name.</param>
/// <param name="Price">The price, with at most two decimals.</param>
/// <param name="Version">Grows with every change of the row, so that an old copy can be told from the present one.</param>
internal sealed record Product(long Id, string Name, decimal Price, long Version);

/// <summary>The body of a price change.</summary>
/// <param name="Price">The new price; null where the caller left it out, which is refused.</param>
internal sealed record PriceChange(decimal? Price)
{
    private const decimal Highest = 1_000_000;

    /// <summary>What is wrong with it, in the form of validation problem details; empty when nothing is.</summary>
    public Dictionary<string, string[]> Validate()
    {
        string? problem = Price switch
        {
            null => "The price is missing.",
            < 0 or > Highest => $"The price must be from 0 to {Highest}.",
            decimal price when decimal.Round(price, 2) != price => "The price must have at most two decimals.",
            _ => null,
        };
        return problem is null ? [] : new() { ["price"] = [problem] };
    }
}
