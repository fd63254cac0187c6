using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using WebApi.Products;

namespace WebApi.Views;

/// <summary>The views of products, and lists of products with their views.</summary>
internal static class ViewEndpoints
{
    private const int MostIds = 100;

    public static void AddViews(this WebApplicationBuilder builder) => builder.Services.AddSingleton<ViewCounter>();

    public static void MapViews(this IEndpointRouteBuilder app)
    {
        app.MapPost("/api/products/{id}/views", CountAsync);
        app.MapGet("/api/products", ListAsync);
    }

    private static async Task<Results<Ok<ViewCount>, NotFound, StatusCodeHttpResult>> CountAsync(
        long id,
        ProductCatalog catalog,
        ViewCounter views,
        CancellationToken cancellationToken)
    {
        // Nobody may fill the cluster with counters of products that do not exist.
        if ((await catalog.FindAsync(id, cancellationToken)).Value is null)
        {
            return TypedResults.NotFound();
        }

        return await views.AddAsync(id, cancellationToken) is { } count
            ? TypedResults.Ok(new ViewCount(id, count))
            : TypedResults.StatusCode(StatusCodes.Status503ServiceUnavailable);
    }

    private static async Task<Results<Ok<ViewedProduct[]>, ValidationProblem>> ListAsync(
        string? ids,
        ProductCatalog catalog,
        ViewCounter views,
        CancellationToken cancellationToken)
    {
        string[] texts = (ids ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (texts.Length is 0 or > MostIds || !Array.TrueForAll(texts, static text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            string[] problems = [$"Name 1 to {MostIds} ids with commas between them, such as ids=1,2,3."];
            return TypedResults.ValidationProblem(new Dictionary<string, string[]> { ["ids"] = problems });
        }

        long[] numbers = [.. texts.Select(static text => long.Parse(text, CultureInfo.InvariantCulture)).Distinct()];
        IReadOnlyList<Product> products = await catalog.FindManyAsync(numbers, cancellationToken);
        IReadOnlyList<ulong?> counts = await views.ReadAsync([.. products.Select(static product => product.Id)], cancellationToken);
        return TypedResults.Ok(products.Zip(counts, static (product, count) => new ViewedProduct(product, count)).ToArray());
    }
}

/// <summary>How often a product has been looked at.</summary>
internal sealed record ViewCount(long Id, ulong Count);

/// <summary>A product and how often it has been looked at; null while that is not known.</summary>
internal sealed record ViewedProduct(Product Product, ulong? Views);
