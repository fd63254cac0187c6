using MemcachedDistributedCache;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Options;

namespace WebApi.Products;

/// <summary>
/// Products from the cache, and below it from the store.
/// <para>
/// A price change commits to the store and then removes the entry. Should a reader have loaded the old row before, its
/// value is given to that reader and is not stored: a removal wins against every factory that is under way, on whatever
/// instance. Other instances may use their own copy for <c>LocalCacheRevalidation</c> longer, one second by default.
/// </para>
/// <para>
/// What remains: an entry outlives its row where a removal does not reach the server and the process ends before it has
/// made up for that. So <see cref="ProductOptions.TimeToLive"/> is short. A price that must never be old is read from
/// the store.
/// </para>
/// </summary>
internal sealed class ProductCatalog(ProductStore store, MemcachedHybridCache cache, IOptions<ProductOptions> options)
{
    /// <summary>Invalidates every cached product.</summary>
    private const string Tag = "products";

    private static readonly string[] Tags = [Tag];
    private readonly HybridCacheEntryOptions _entryOptions = new() { Expiration = options.Value.TimeToLive };

    /// <summary>The product or null, and where it came from.</summary>
    /// <remarks>
    /// An unknown id is not cached (<c>CacheNullValues</c> is false here): anybody could fill the cluster with ids that
    /// do not exist.
    /// </remarks>
    public ValueTask<MemcachedHybridResult<Product?>> FindAsync(long id, CancellationToken cancellationToken)
        => cache.GetOrCreateWithSourceAsync(
            KeyOf(id),
            (store, id),
            static async (state, token) => await state.store.FindAsync(state.id, token),
            _entryOptions,
            Tags,
            cancellationToken);

    /// <summary>The products of these ids that exist, in the order of the ids: one request to each server, and one query for what is missing.</summary>
    public async Task<IReadOnlyList<Product>> FindManyAsync(IReadOnlyList<long> ids, CancellationToken cancellationToken)
    {
        Dictionary<string, long> idOf = ids.ToDictionary(KeyOf);
        IReadOnlyDictionary<string, Product> found = await cache.GetOrCreateManyAsync<Product>(
            idOf.Keys,
            async (missing, token) => (await store.FindManyAsync([.. missing.Select(key => idOf[key])], token)).ToDictionary(static product => KeyOf(product.Id)),
            _entryOptions,
            Tags,
            cancellationToken);
        return [.. ids.Select(KeyOf).Where(found.ContainsKey).Select(key => found[key])];
    }

    /// <summary>The ids of the products that most readers will ask for.</summary>
    public IAsyncEnumerable<long> BestSoldAsync(CancellationToken cancellationToken) => store.BestSoldAsync(options.Value.WarmUp, cancellationToken);

    /// <summary>Changes the price and returns the product as it is then, or null.</summary>
    public async Task<Product?> ChangePriceAsync(long id, decimal price)
    {
        // Takes no token: a caller who hangs up between the two must not keep the entry from being removed.
        Product? product = await store.ChangePriceAsync(id, price);
        if (product is not null)
        {
            await cache.RemoveAsync(KeyOf(id));
        }

        return product;
    }

    /// <summary>Changes all prices, and invalidates all products at once by their tag.</summary>
    public async Task<int> RepriceAsync(decimal percent)
    {
        int count = await store.RepriceAsync(percent);
        await cache.RemoveByTagAsync(Tag);
        return count;
    }

    // The version of the entry's shape is part of the key, so that two releases of the application can share a cluster.
    private static string KeyOf(long id) => $"product:1:{id}";
}
