using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebApi.Products;

namespace WebApi.Reports;

/// <summary>Reads all prices from the products' store.</summary>
internal sealed class ProductPrices(IOptions<ProductOptions> options, IHostEnvironment environment)
{
    private readonly string _path = Path.Combine(environment.ContentRootPath, options.Value.DatabasePath);

    /// <summary>Every product's id and price.</summary>
    public async Task<IReadOnlyList<(long Id, decimal Price)>> ReadAsync(CancellationToken cancellationToken)
    {
        await using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = _path }.ToString());
        await connection.OpenAsync(cancellationToken);
        IEnumerable<(long Id, long Cents)> rows = await connection.QueryAsync<(long, long)>(
            new CommandDefinition("SELECT id, price_cents FROM products ORDER BY id", cancellationToken: cancellationToken));
        return [.. rows.Select(static row => (row.Id, row.Cents / 100m))];
    }
}
