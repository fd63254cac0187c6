using MemcachedDistributedCache;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.OutputCaching;
using WebApi.Reports;

namespace WebApi.Products;

/// <summary>The catalogue's services and endpoints.</summary>
internal static class ProductEndpoints
{
    public static void AddProducts(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<ProductOptions>().BindConfiguration("Products").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<ProductStore>();
        builder.Services.AddSingleton<ProductCatalog>();
        builder.Services.AddMemcachedWarmup(
            "best-sold products",
            static (services, token) => services.GetRequiredService<ProductCatalog>().BestSoldAsync(token),
            static async (id, services, token) => await services.GetRequiredService<ProductCatalog>().FindAsync(id, token));
    }

    public static void MapProducts(this IEndpointRouteBuilder app)
    {
        RouteGroupBuilder products = app.MapGroup("/api/products/{id}");
        products.MapGet("", FindAsync);
        products.MapPut("price", ChangePriceAsync);
        app.MapPost("/api/products/reprice", RepriceAsync);
    }

    private static async Task<Results<Ok<Product>, NotFound>> FindAsync(
        long id,
        ProductCatalog catalog,
        HttpResponse response,
        CancellationToken cancellationToken)
    {
        (Product? product, MemcachedHybridSource source) = await catalog.FindAsync(id, cancellationToken);
        response.Headers["X-Cache"] = source switch
        {
            MemcachedHybridSource.LocalCache => "L1",
            MemcachedHybridSource.DistributedCache => "L2",
            MemcachedHybridSource.Stale => "STALE",
            _ => "MISS",
        };
        return product is null ? TypedResults.NotFound() : TypedResults.Ok(product);
    }

    private static async Task<Results<Ok<Product>, NotFound, ValidationProblem>> ChangePriceAsync(long id, PriceChange change, ProductCatalog catalog)
    {
        Dictionary<string, string[]> errors = change.Validate();
        if (errors.Count != 0 || change.Price is not { } price)
        {
            return TypedResults.ValidationProblem(errors);
        }

        Product? product = await catalog.ChangePriceAsync(id, price);
        return product is null ? TypedResults.NotFound() : TypedResults.Ok(product);
    }

    private static async Task<Results<Ok<Repriced>, ValidationProblem>> RepriceAsync(Repricing repricing, ProductCatalog catalog, IOutputCacheStore pages)
    {
        Dictionary<string, string[]> errors = repricing.Validate();
        if (errors.Count != 0 || repricing.Percent is not { } percent)
        {
            return TypedResults.ValidationProblem(errors);
        }

        // Takes no token: a caller who hangs up must not leave pages with prices that are no more.
        int changed = await catalog.RepriceAsync(percent);

        // After the last change, so that a page made from here on shows all of them; one that is being made now is not kept.
        await pages.EvictByTagAsync(ReportEndpoints.PricesTag, CancellationToken.None);
        return TypedResults.Ok(new Repriced(changed));
    }
}
