using System.IO.Compression;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;

/// <summary>
/// Looks into every package of a folder: what a user reads must be there, and every assembly that the package's code
/// refers to must come from the package, from a dependency that the package names, or from a shared framework. The
/// round trip alone would not show that: what one package forgets, another brings along.
/// </summary>
internal static partial class PackageChecks
{
    private static readonly Dictionary<string, Version> Runtime = AssembliesBeside(typeof(object));
    private static readonly Dictionary<string, Version> AspNetCore = AssembliesBeside(typeof(WebApplication));

    public static void Run(string folder)
    {
        string[] files = Directory.GetFiles(folder, "*.nupkg");
        Check.That(files.Length > 0, "there are packages in " + folder);
        foreach (string file in files)
        {
            using ZipArchive package = ZipFile.OpenRead(file);
            using ZipArchive symbols = ZipFile.OpenRead(Path.ChangeExtension(file, ".snupkg"));
            XElement nuspec = Metadata(package);
            string id = Value(nuspec, "id");
            if (nuspec.Descendants().Any(e => e.Name.LocalName == "packageType" && (string?)e.Attribute("name") == "DotnetTool"))
            {
                CheckTool(id, package);
            }
            else
            {
                CheckLibrary(id, package, symbols);
            }

            CheckTexts(id, nuspec, package);
        }
    }

    private static void CheckTexts(string id, XElement nuspec, ZipArchive package)
    {
        foreach (string name in (string[])["license", "projectUrl", "description", "releaseNotes", "tags"])
        {
            Check.That(Value(nuspec, name).Length > 0, $"{id} tells its {name}");
        }

        XElement repository = nuspec.Elements().Single(e => e.Name.LocalName == "repository");
        Check.That(((string?)repository.Attribute("url"))?.StartsWith("https://", StringComparison.Ordinal) == true, $"{id} tells its repository");
        Check.That(package.GetEntry(Value(nuspec, "icon")) is { Length: > 0 }, $"{id} has its icon");
        Check.That(package.GetEntry(Value(nuspec, "readme")) is { Length: > 0 }, $"{id} has its readme");
        using var reader = new StreamReader(package.GetEntry(Value(nuspec, "readme"))!.Open());
        string readme = reader.ReadToEnd();
        Check.That(readme.StartsWith("# " + id, StringComparison.Ordinal), $"the readme of {id} is its own");
        Check.That(!RelativeLink().IsMatch(readme), $"every link in the readme of {id} is absolute: {RelativeLink().Match(readme).Value}");
    }

    private static void CheckLibrary(string id, ZipArchive package, ZipArchive symbols)
    {
        foreach (
            XElement dependency in Metadata(package)
                .Descendants()
                .Where(e =>
                    e.Name.LocalName == "dependency"
                    && ((string)e.Attribute("id")!).StartsWith("MemcachedDistributedCache", StringComparison.Ordinal)))
        {
            // The packages use internals of each other.
            Check.That(
                (string?)dependency.Attribute("version") == $"[{Value(Metadata(package), "version")}]",
                $"{id} depends on exactly its own version of {(string?)dependency.Attribute("id")}");
        }

        HashSet<string> known = InstalledPackage.Find(id).Provides();
        ZipArchiveEntry[] assemblies =
        [
            .. package.Entries.Where(e =>
                e.FullName.StartsWith("lib/", StringComparison.Ordinal) && e.Name.EndsWith(".dll", StringComparison.Ordinal)),
        ];
        Check.That(assemblies.Length > 0, $"{id} has an assembly");
        bool isWeb = Metadata(package)
            .Descendants()
            .Any(e => e.Name.LocalName == "frameworkReference" && (string?)e.Attribute("name") == "Microsoft.AspNetCore.App");
        foreach (ZipArchiveEntry assembly in assemblies)
        {
            Check.That(package.GetEntry(Path.ChangeExtension(assembly.FullName, ".xml")) is { Length: > 0 }, $"{id} has the documentation of {assembly.Name}");
            Check.That(symbols.GetEntry(Path.ChangeExtension(assembly.FullName, ".pdb")) is { Length: > 0 }, $"{id} has the symbols of {assembly.Name}");
            CheckReferences(id, assembly, name => known.Contains(name.Name!) || IsIn(Runtime, name) || (isWeb && IsIn(AspNetCore, name)));
        }
    }

    private static void CheckTool(string id, ZipArchive package)
    {
        ZipArchiveEntry[] assemblies =
        [
            .. package.Entries.Where(e =>
                e.FullName.StartsWith("tools/", StringComparison.Ordinal) && e.Name.EndsWith(".dll", StringComparison.Ordinal)),
        ];
        HashSet<string> known = [.. assemblies.Select(e => Path.GetFileNameWithoutExtension(e.Name))];
        Check.That(assemblies.Length > 0, $"{id} has an assembly");
        foreach (ZipArchiveEntry assembly in assemblies)
        {
            CheckReferences(id, assembly, name => known.Contains(name.Name!) || IsIn(Runtime, name));
        }
    }

    private static void CheckReferences(string id, ZipArchiveEntry assembly, Func<AssemblyName, bool> comes)
    {
        var copy = new MemoryStream();
        using (Stream stream = assembly.Open())
        {
            stream.CopyTo(copy);
        }

        copy.Position = 0;
        using var portable = new PEReader(copy);
        MetadataReader metadata = portable.GetMetadataReader();
        foreach (AssemblyName name in metadata.AssemblyReferences.Select(handle => metadata.GetAssemblyReference(handle).GetAssemblyName()))
        {
            Check.That(comes(name), $"{id} brings {name.Name} {name.Version}, which {assembly.Name} refers to");
        }
    }

    private static bool IsIn(Dictionary<string, Version> framework, AssemblyName name)
        => framework.TryGetValue(name.Name!, out Version? version) && version >= name.Version;

    private static Dictionary<string, Version> AssembliesBeside(Type type)
    {
        var found = new Dictionary<string, Version>(StringComparer.OrdinalIgnoreCase);
        foreach (string file in Directory.EnumerateFiles(Path.GetDirectoryName(type.Assembly.Location)!, "*.dll"))
        {
            try
            {
                found.Add(Path.GetFileNameWithoutExtension(file), AssemblyName.GetAssemblyName(file).Version!);
            }
            catch (BadImageFormatException)
            {
                // Native code.
            }
        }

        return found;
    }

    private static XElement Metadata(ZipArchive package)
    {
        using Stream stream = package.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        return XDocument.Load(stream).Root!.Elements().Single(e => e.Name.LocalName == "metadata");
    }

    private static string Value(XElement nuspec, string name) => nuspec.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value ?? "";

    [GeneratedRegex(@"\]\((?!https://)[^)]*\)")]
    private static partial Regex RelativeLink();
}
