using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.RateLimiting;
using WebApi.Products;

namespace WebApi.Quotes;

/// <summary>Offers for larger quantities. They are work, so each caller has a few of them a minute, from all instances together.</summary>
internal static class QuoteEndpoints
{
    private const string Policy = "quotes";
    private const int FewAMinute = 3;

    public static void AddQuotes(this WebApplicationBuilder builder)
        => builder.Services.AddRateLimiter(static options => options
            .AddMemcachedSlidingWindow(Policy, static context => context.Connection.RemoteIpAddress?.ToString(), static limiter =>
            {
                limiter.PermitLimit = FewAMinute;
                limiter.Window = TimeSpan.FromMinutes(1);
                limiter.SegmentsPerWindow = 6;
            })
            .RejectWithRetryAfter());

    public static void MapQuotes(this IEndpointRouteBuilder app)
        => app.MapGet("/api/products/{id}/quote", QuoteAsync).RequireRateLimiting(Policy);

    private static async Task<Results<Ok<Quote>, NotFound, ValidationProblem>> QuoteAsync(
        long id,
        int quantity,
        ProductStore store,
        CancellationToken cancellationToken)
    {
        if (quantity is < 1 or > Quote.Most)
        {
            string[] problems = [$"The quantity must be from 1 to {Quote.Most}."];
            return TypedResults.ValidationProblem(new Dictionary<string, string[]> { ["quantity"] = problems });
        }

        // From the store: an offer holds, so the price must not be old.
        Product? product = await store.FindAsync(id, cancellationToken);
        return product is null ? TypedResults.NotFound() : TypedResults.Ok(Quote.For(product, quantity));
    }
}

/// <summary>An offer.</summary>
internal sealed record Quote(long Id, int Quantity, decimal Total)
{
    public const int Most = 10_000;
    private const int Many = 100;
    private const decimal Rebate = 0.9m;

    public static Quote For(Product product, int quantity)
        => new(product.Id, quantity, decimal.Round(product.Price * quantity * (quantity >= Many ? Rebate : 1), 2));
}
