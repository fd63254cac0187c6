using System.Data.Common;
using System.Runtime.CompilerServices;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;

namespace WebApi.Products;

/// <summary>The products' real store, an SQLite file. It knows nothing of the cache.</summary>
internal sealed class ProductStore(IOptions<ProductOptions> options, IHostEnvironment environment)
{
    private readonly string _path = Path.Combine(environment.ContentRootPath, options.Value.DatabasePath);

    /// <summary>Makes the file and its products where they are missing; several instances may do so at once.</summary>
    public async Task InitializeAsync(CancellationToken cancellationToken = default)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_path))!);
        await using SqliteConnection connection = await OpenAsync(cancellationToken);

        // With a write-ahead log readers do not wait for writers; the file remembers the setting.
        await connection.ExecuteAsync("PRAGMA journal_mode = WAL");
        await using DbTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(
            """
            CREATE TABLE IF NOT EXISTS products (
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL,
                price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
                version INTEGER NOT NULL)
            """,
            transaction: transaction);
        await connection.ExecuteAsync(
            "INSERT OR IGNORE INTO products (id, name, price_cents, version) VALUES (@id, @name, @price, 1)",
            ProductSeed.Products.Select((product, index) => new { id = index + 1, name = product.Name, price = product.PriceCents }),
            transaction);
        await connection.ExecuteAsync(
            "CREATE TABLE IF NOT EXISTS sales (product_id INTEGER PRIMARY KEY, sold INTEGER NOT NULL)",
            transaction: transaction);
        await connection.ExecuteAsync(
            "INSERT OR IGNORE INTO sales (product_id, sold) VALUES (@id, @sold)",
            ProductSeed.Products.Select(static (_, index) => new { id = index + 1, sold = ProductSeed.SoldOf(index + 1) }),
            transaction);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>The product, or null.</summary>
    public async Task<Product?> FindAsync(long id, CancellationToken cancellationToken)
    {
        await using SqliteConnection connection = await OpenAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition(
            "SELECT id, name, price_cents AS priceCents, version FROM products WHERE id = @id",
            new { id },
            cancellationToken: cancellationToken));
        return row?.ToProduct();
    }

    /// <summary>The products of these ids that exist.</summary>
    public async Task<IReadOnlyList<Product>> FindManyAsync(IReadOnlyList<long> ids, CancellationToken cancellationToken)
    {
        await using SqliteConnection connection = await OpenAsync(cancellationToken);
        IEnumerable<Row> rows = await connection.QueryAsync<Row>(new CommandDefinition(
            "SELECT id, name, price_cents AS priceCents, version FROM products WHERE id IN @ids",
            new { ids },
            cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToProduct())];
    }

    /// <summary>The ids of the best-sold products, the best first.</summary>
    public async IAsyncEnumerable<long> BestSoldAsync(int count, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using SqliteConnection connection = await OpenAsync(cancellationToken);
        foreach (long id in await connection.QueryAsync<long>(new CommandDefinition(
            "SELECT product_id FROM sales ORDER BY sold DESC, product_id LIMIT @count",
            new { count },
            cancellationToken: cancellationToken)))
        {
            yield return id;
        }
    }

    /// <summary>Changes the price and returns the product as it is then, or null; committed when this returns.</summary>
    public async Task<Product?> ChangePriceAsync(long id, decimal price)
    {
        // Not to be cancelled: the change could be made and reported as cancelled, and then nobody would remove its cache entry.
        await using SqliteConnection connection = await OpenAsync(CancellationToken.None);
        var row = await connection.QuerySingleOrDefaultAsync<Row>(
            """
            UPDATE products SET price_cents = @cents, version = version + 1 WHERE id = @id
            RETURNING id, name, price_cents AS priceCents, version
            """,
            new { id, cents = (long)(price * 100) });
        return row?.ToProduct();
    }

    /// <summary>Changes all prices by a percentage, to whole cents and at most a million; returns how many there are.</summary>
    public async Task<int> RepriceAsync(decimal percent)
    {
        await using SqliteConnection connection = await OpenAsync(CancellationToken.None);
        return await connection.ExecuteAsync(
            "UPDATE products SET price_cents = MIN(100000000, CAST(ROUND(price_cents * @factor) AS INTEGER)), version = version + 1",
            new { factor = (double)(1 + (percent / 100)) });
    }

    private async Task<SqliteConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = _path }.ToString());
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    /// <summary>A row as SQLite types it, which has no decimals.</summary>
    private sealed record Row(long Id, string Name, long PriceCents, long Version)
    {
        public Product ToProduct() => new(Id, Name, PriceCents / 100m, Version);
    }
}
