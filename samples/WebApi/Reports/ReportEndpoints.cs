using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.OutputCaching;
using WebApi.Products;

namespace WebApi.Reports;

/// <summary>A report whose whole response is cached, and what makes it outdated.</summary>
internal static class ReportEndpoints
{
    /// <summary>Stands on every response that shows prices of more than one product.</summary>
    private const string PricesTag = "prices";

    public static void AddReports(this WebApplicationBuilder builder)
    {
        // The pages lie in the same cluster as the products, and every instance serves those of the others.
        builder.Services.AddMemcachedOutputCache();
        builder.Services.AddSingleton<ProductPrices>();
    }

    public static void MapReports(this IEndpointRouteBuilder app)
    {
        // Varied by nothing but the category: whatever else a caller puts into the query makes no page of its own.
        app.MapGet("/api/report", MakeAsync)
            .CacheOutput(static policy => policy.Expire(TimeSpan.FromMinutes(5)).SetVaryByQuery("category").Tag(PricesTag));
        app.MapPost("/api/products/reprice", RepriceAsync);
    }

    private static async Task<Results<Ok<Report>, ValidationProblem>> MakeAsync(string? category, ProductPrices prices, TimeProvider time, CancellationToken cancellationToken)
    {
        if (PriceBand.Find(category) is not { } band)
        {
            return TypedResults.ValidationProblem(new Dictionary<string, string[]> { ["category"] = [$"The category must be one of {PriceBand.Names}."] });
        }

        decimal[] found = [.. (await prices.ReadAsync(cancellationToken)).Select(static product => product.Price).Where(band.Has)];
        return TypedResults.Ok(new Report(
            band.Name,
            found.Length,
            found.Length == 0 ? 0 : decimal.Round(found.Average(), 2),
            found.DefaultIfEmpty().Min(),
            found.DefaultIfEmpty().Max(),
            time.GetUtcNow()));
    }

    private static async Task<Results<Ok<Repriced>, ValidationProblem>> RepriceAsync(Repricing repricing, ProductPrices prices, ProductCatalog catalog, IOutputCacheStore pages)
    {
        Dictionary<string, string[]> errors = repricing.Validate();
        if (errors.Count != 0 || repricing.Percent is not { } percent)
        {
            return TypedResults.ValidationProblem(errors);
        }

        // Takes no token: a caller who hangs up must not leave pages with prices that are no more.
        int changed = 0;
        foreach ((long id, decimal price) in await prices.ReadAsync(CancellationToken.None))
        {
            changed += await catalog.ChangePriceAsync(id, decimal.Round(price * (100 + percent) / 100, 2)) is null ? 0 : 1;
        }

        // After the last change, so that a page made from here on shows all of them; one that is being made now is not kept.
        await pages.EvictByTagAsync(PricesTag, CancellationToken.None);
        return TypedResults.Ok(new Repriced(changed));
    }
}
