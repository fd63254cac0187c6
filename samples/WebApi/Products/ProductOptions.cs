using System.ComponentModel.DataAnnotations;

namespace WebApi.Products;

/// <summary>Section <c>Products</c>.</summary>
internal sealed class ProductOptions
{
    /// <summary>The SQLite file, absolute or below the content root; made and seeded where it is missing.</summary>
    [Required]
    public string DatabasePath { get; set; } = "App_Data/products.db";

    /// <summary>How long a product is cached, and so the longest that an old price can be seen if an invalidation gets lost.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How many of the best-sold products are put into the cache at the start.</summary>
    [Range(0, 1000)]
    public int WarmUp { get; set; } = 10;
}
