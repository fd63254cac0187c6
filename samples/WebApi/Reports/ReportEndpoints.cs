using Microsoft.AspNetCore.Http.HttpResults;

namespace WebApi.Reports;

/// <summary>A report whose whole response is cached until prices change.</summary>
internal static class ReportEndpoints
{
    /// <summary>Stands on every response that shows prices of more than one product.</summary>
    public const string PricesTag = "prices";

    public static void AddReports(this WebApplicationBuilder builder)
    {
        // The pages lie in the same cluster as the products, and every instance serves those of the others.
        builder.Services.AddMemcachedOutputCache();
        builder.Services.AddSingleton<ProductPrices>();
    }

    public static void MapReports(this IEndpointRouteBuilder app)
    {
        // Varied by nothing but the category: whatever else a caller puts into the query makes no page of its own. Nor
        // does the host: by ASP.NET's default it is part of a page's key with its port, so that instances asked at
        // ports of their own would share nothing. An application that answers differently for each host leaves that
        // out.
        app.MapGet("/api/report", MakeAsync)
            .CacheOutput(static policy => policy.Expire(TimeSpan.FromMinutes(5)).SetVaryByQuery("category").SetVaryByHost(false).Tag(PricesTag));
    }

    private static async Task<Results<Ok<Report>, ValidationProblem>> MakeAsync(
        string? category,
        ProductPrices prices,
        TimeProvider time,
        CancellationToken cancellationToken)
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
}
