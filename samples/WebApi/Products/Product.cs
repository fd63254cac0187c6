using System.ComponentModel;

namespace WebApi.Products;

/// <summary>A product as the API shows it and as the cache holds it; said to be immutable, so that all callers share one.</summary>
/// <param name="Id">The id.</param>
/// <param name="Name">The name.</param>
/// <param name="Price">The price, with at most two decimals.</param>
/// <param name="Version">Grows with every change of the row, so that an old copy can be told from the present one.</param>
[ImmutableObject(true)]
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

/// <summary>The body of a change of all prices.</summary>
/// <param name="Percent">By how much, such as 5 or -10; null where the caller left it out, which is refused.</param>
internal sealed record Repricing(decimal? Percent)
{
    private const decimal Lowest = -90;
    private const decimal Highest = 900;

    /// <summary>What is wrong with it, in the form of validation problem details; empty when nothing is.</summary>
    public Dictionary<string, string[]> Validate()
    {
        string? problem = Percent switch
        {
            null => "The percentage is missing.",
            < Lowest or > Highest => $"The percentage must be from {Lowest} to {Highest}.",
            _ => null,
        };
        return problem is null ? [] : new() { ["percent"] = [problem] };
    }
}

/// <summary>The answer to it.</summary>
/// <param name="Products">How many products have a new price.</param>
internal sealed record Repriced(int Products);
