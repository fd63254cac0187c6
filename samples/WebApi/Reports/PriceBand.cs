namespace WebApi.Reports;

/// <summary>A category: products with a price from one amount up to, not including, another.</summary>
internal sealed record PriceBand(string Name, decimal From, decimal To)
{
    /// <summary>Every product.</summary>
    public static readonly PriceBand All = new("all", 0, decimal.MaxValue);

    private static readonly PriceBand[] Bands = [All, new("budget", 0, 20), new("standard", 20, 50), new("premium", 50, decimal.MaxValue)];

    /// <summary>The names that can be asked for.</summary>
    public static string Names => string.Join(", ", Bands.Select(static band => band.Name));

    /// <summary>The band of a name, all where there is none; null for an unknown one.</summary>
    public static PriceBand? Find(string? name)
        => string.IsNullOrEmpty(name) ? All : Array.Find(Bands, band => band.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether a product with this price is in it.</summary>
    public bool Has(decimal price) => price >= From && price < To;
}
