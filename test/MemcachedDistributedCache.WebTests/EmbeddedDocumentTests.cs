using MemcachedDistributedCache.Embedded;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.WebTests;

// <factory>
public sealed class Application : WebApplicationFactory<Program>
{
    private readonly EmbeddedMemcached _servers = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Nodes = 3 });

    protected override void ConfigureWebHost(IWebHostBuilder builder)
        => builder.UseSetting("Memcached:Servers", _servers.ConnectionString);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _servers.DisposeAsync();
    }
}

// </factory>

/// <summary>Runs the recipes of docs/embedded.md against an application whose configuration lists servers of its own.</summary>
public sealed class EmbeddedDocumentTests : IDisposable
{
    private static readonly string[] OfProduction = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webtests-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task One_text_replaces_a_list_of_servers_in_the_configuration()
    {
        await using var application = new Application();
        await using WebApplicationFactory<Program> app = application.WithWebHostBuilder(OnProduction);
        await AssertEmbeddedAsync(app, 3);
    }

    [Fact]
    public async Task Servers_taken_away_leave_the_embedded_nodes_of_the_container()
    {
        await using var factory = new WebApplicationFactory<Program>();
        await using WebApplicationFactory<Program> app = factory.WithWebHostBuilder(builder =>
        {
            OnProduction(builder);

            // <services>
            builder.ConfigureTestServices(services =>
            {
                services.AddEmbeddedMemcached();
                services.Configure<MemcachedCacheOptions>(options => options.Servers = []);
            });

            // </services>
        });
        await AssertEmbeddedAsync(app, 3);
        Assert.Equal(
            app.Services.GetRequiredService<EmbeddedMemcached>().Servers,
            app.Services.GetRequiredService<MemcachedCache>().GetNodes().Select(static node => node.Server));
    }

    [Theory]
    [InlineData("factory", 0)]
    [InlineData("services", 12)]
    public void The_document_has_the_lines_that_run_here(string part, int indentation)
    {
        string[] source = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "EmbeddedDocumentTests.source.txt"));
        IEnumerable<string> lines = source.SkipWhile(line => line.Trim() != $"// <{part}>").Skip(1).TakeWhile(line => line.Trim() != $"// </{part}>");
        string block = string.Join('\n', lines.Select(line => line.Length > indentation ? line[indentation..] : "")).TrimEnd('\n');
        Assert.NotEmpty(block);
        Assert.Contains(block, File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "embedded.md")).ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    private static async Task AssertEmbeddedAsync(WebApplicationFactory<Program> app, int nodes)
    {
        using HttpClient client = app.CreateClient(new WebApplicationFactoryClientOptions { HandleCookies = false });
        Assert.Equal("MISS", (await client.GetProductAsync(1)).Cache);
        NodeBody[] used = await client.GetNodesAsync();
        Assert.Equal(nodes, used.Length);
        Assert.DoesNotContain(used, static node => OfProduction.Contains(node.Server));
    }

    private void OnProduction(IWebHostBuilder builder)
    {
        for (int i = 0; i < OfProduction.Length; i++)
        {
            builder.UseSetting($"Memcached:Servers:{i}", OfProduction[i]);
        }

        builder.UseSetting("Products:DatabasePath", Path.Combine(_folder.FullName, "products.db"));
        builder.UseSetting("DataProtection:KeysFolder", Path.Combine(_folder.FullName, "keys"));
        builder.UseSetting("Memcached:OperationTimeout", "00:00:20");
    }
}
