using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.WebTests;

/// <summary>Real nodes, a database and a key folder of a test's own, and the instances of the sample that share them.</summary>
internal sealed class SampleCluster : IAsyncDisposable
{
    private readonly List<SampleApp> _apps = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webtests-");

    private SampleCluster(MemcachedProcess[] nodes) => Nodes = nodes;

    /// <summary>The nodes.</summary>
    public IReadOnlyList<MemcachedProcess> Nodes { get; }

    /// <summary>A folder that is deleted with the cluster.</summary>
    public string Folder => _folder.FullName;

    /// <summary>Starts three real nodes.</summary>
    public static async Task<SampleCluster> StartAsync()
        => new(await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => MemcachedProcess.StartAsync())));

    /// <summary>A database and a key folder without any node, for instances that start embedded ones.</summary>
    public static SampleCluster WithoutNodes() => new([]);

    /// <summary>Makes an instance on the shared nodes, database and keys; it starts with its first client.</summary>
    /// <param name="configure">Changes its services.</param>
    /// <param name="settings">Added to the shared settings, or in their place.</param>
    public SampleApp NewApp(Action<IServiceCollection>? configure = null, params (string Name, string Value)[] settings)
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Products:DatabasePath"] = Path.Combine(Folder, "products.db"),
            ["DataProtection:KeysFolder"] = Path.Combine(Folder, "keys"),

            // What a test reads first is a miss.
            ["Products:WarmUp"] = "0",

            // A busy machine may take longer than the default second, and the miss that follows is right but not what is tested.
            ["Memcached:OperationTimeout"] = "00:00:20",
            ["Memcached:ConnectTimeout"] = "00:00:20",
        };
        for (int i = 0; i < Nodes.Count; i++)
        {
            all[$"Memcached:Servers:{i}"] = Nodes[i].Server;
        }

        foreach ((string name, string value) in settings)
        {
            all[name] = value;
        }

        var app = new SampleApp(all, configure);
        _apps.Add(app);
        return app;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (SampleApp app in _apps)
        {
            await app.DisposeAsync();
        }

        foreach (MemcachedProcess node in Nodes)
        {
            await node.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }
}
