using System.Text.Json;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Options;

namespace WebApi.Products;

/// <summary>
/// Products from the cache, and below it from the store.
/// <para>
/// A price change commits to the store and then removes the entry. That alone leaves a race: a reader loads the old row, the writer commits
/// and removes, the reader stores the old row. So a reader that has stored an entry looks at the row's version once more, and removes
/// its entry if the row has changed since. Either the reader sees the new version there, or the writer commits later, and then its
/// removal comes after the reader's store: the old row does not stay.
/// </para>
/// <para>
/// What remains: other readers can see the old row between the late store and its removal. And an entry
/// outlives its row, until <see cref="ProductOptions.TimeToLive"/> is over, where a removal does not reach the server, a store that timed
/// out arrives late, or the process ends in between. So that limit is absolute and short. A price that must never be old is read from the
/// store.
/// </para>
/// </summary>
internal sealed class ProductCatalog(ProductStore store, IDistributedCache cache, IOptions<ProductOptions> options)
{
    private readonly DistributedCacheEntryOptions _entryOptions = new() { AbsoluteExpirationRelativeToNow = options.Value.TimeToLive };

    /// <summary>The product or null, and whether the cache had it.</summary>
    public async Task<(Product? Product, bool IsHit)> FindAsync(long id, CancellationToken cancellationToken)
    {
        string key = KeyOf(id);
        if (Read(await cache.GetAsync(key, cancellationToken)) is { } cached)
        {
            return (cached, true);
        }

        // An unknown id is not cached: anybody could fill the cluster with ids that do not exist.
        Product? product = await store.FindAsync(id, cancellationToken);
        if (product is not null)
        {
            await StoreAsync(key, product);
        }

        return (product, false);
    }

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

    // The version of the entry's shape is part of the key, so that two releases of the application can share a cluster.
    private static string KeyOf(long id) => $"product:1:{id}";

    private static Product? Read(byte[]? entry)
    {
        try
        {
            return entry is null ? null : JsonSerializer.Deserialize(entry, AppJsonContext.Default.Product);
        }
        catch (JsonException)
        {
            // Not ours, or of another release: the store has the truth, and what is stored next replaces it.
            return null;
        }
    }

    private async Task StoreAsync(string key, Product product)
    {
        // From here on nothing is cancelled: an entry without the look at its version could stay old.
        await cache.SetAsync(key, JsonSerializer.SerializeToUtf8Bytes(product, AppJsonContext.Default.Product), _entryOptions, CancellationToken.None);
        if (await store.FindVersionAsync(product.Id, CancellationToken.None) != product.Version)
        {
            await cache.RemoveAsync(key, CancellationToken.None);
        }
    }
}
