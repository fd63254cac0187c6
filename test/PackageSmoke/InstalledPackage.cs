using System.Text.Json;

/// <summary>A package as NuGet has installed it in this application: project.assets.json, which run.sh copies beside the program.</summary>
internal sealed class InstalledPackage
{
    private static readonly Dictionary<string, InstalledPackage> All = Read();

    private readonly string[] _assemblies;
    private readonly string[] _dependencies;

    private InstalledPackage(JsonElement package)
    {
        _assemblies = package.TryGetProperty("runtime", out JsonElement runtime)
            ? [.. runtime.EnumerateObject().Select(file => Path.GetFileNameWithoutExtension(file.Name))]
            : [];
        _dependencies = package.TryGetProperty("dependencies", out JsonElement dependencies)
            ? [.. dependencies.EnumerateObject().Select(dependency => dependency.Name)]
            : [];
    }

    public static InstalledPackage Find(string id)
    {
        Check.That(All.ContainsKey(id), $"this application has {id} among its packages, or another package brings it");
        return All[id];
    }

    /// <summary>The assemblies of the package and of all that it depends on.</summary>
    public HashSet<string> Provides()
    {
        var assemblies = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var seen = new HashSet<InstalledPackage>();
        var next = new Stack<InstalledPackage>([this]);
        while (next.TryPop(out InstalledPackage? package))
        {
            if (seen.Add(package))
            {
                assemblies.UnionWith(package._assemblies);
                // A dependency that a shared framework has is not installed.
                package._dependencies.Where(All.ContainsKey).ToList().ForEach(id => next.Push(All[id]));
            }
        }

        return assemblies;
    }

    private static Dictionary<string, InstalledPackage> Read()
    {
        using JsonDocument assets = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "project.assets.json")));
        return assets
            .RootElement.GetProperty("targets")
            .EnumerateObject()
            .First()
            .Value.EnumerateObject()
            .ToDictionary(
                package => package.Name[..package.Name.IndexOf('/', StringComparison.Ordinal)],
                package => new InstalledPackage(package.Value),
                StringComparer.OrdinalIgnoreCase);
    }
}
