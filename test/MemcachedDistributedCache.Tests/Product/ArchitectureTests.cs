using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace MemcachedDistributedCache.Tests.Product;

/// <summary>Two packages, rooms within them by namespace, and arrows that go down the list only.</summary>
public sealed partial class ArchitectureTests
{
    private const string Root = "MemcachedDistributedCache";
    private const string Registration = "Microsoft.Extensions.DependencyInjection";

    /// <summary>From the top: the rooms of the caches, then those of the engine. Each may know what stands behind it.</summary>
    private static readonly string[] Rooms =
    [
        "Cache", "Options", "Hybrid", "Distributed", "Layout", "Backend",
        "Engine", "Client", "Resilience", "Cluster", "Consistency", "Connections", "Protocol", "Transport", "Telemetry", "Vocabulary",
    ];

    private static readonly Assembly[] Packages = [typeof(MemcachedCache).Assembly, typeof(MemcachedNodeState).Assembly];

    private static readonly Type[] Types = [.. Packages.SelectMany(static package => package.GetTypes()).Where(static type => Outermost(type).Namespace is { } name && (name == Registration || name.StartsWith(Root, StringComparison.Ordinal)) && !IsGenerated(type))];

    [Fact]
    public void Every_type_lives_in_a_room_of_its_package()
        => Assert.All(
            Types,
            static type
                => Assert.True(
                    RoomOf(type) >= 0 && RoomOf(type) >= Array.IndexOf(Rooms, "Engine") == (type.Assembly == Packages[1]),
                    $"{type} is in no room of its package"));

    [Fact]
    public void Arrows_go_down_only()
    {
        string[] up = [.. Types
            .SelectMany(static type => IlReader.Dependencies(type).Select(d => (From: type, To: d.Type, d.Where)))
            .Where(static arrow => Packages.Contains(arrow.To.Assembly) && !IsGenerated(arrow.To))
            .Where(static arrow => RankOf(arrow.To) < RankOf(arrow.From))
            .Select(static arrow => $"{Name(Outermost(arrow.From))} -> {Name(Outermost(arrow.To))} in {arrow.Where}")
            .Distinct()
            .Order(StringComparer.Ordinal)];
        Assert.True(up.Length == 0, "These point up:\n" + string.Join('\n', up));
    }

    /// <summary>Two files that know each other are one thing in two parts; a longer circle cannot be read from any end.</summary>
    [Fact]
    public void No_more_than_two_files_stand_in_a_circle()
    {
        Dictionary<(string Namespace, string Name), string> files = Files();
        Dictionary<string, HashSet<string>> knows = files
            .Values.Distinct()
            .ToDictionary(static file => file, static _ => new HashSet<string>(StringComparer.Ordinal), StringComparer.Ordinal);
        foreach (Type type in Types)
        {
            foreach (Type to in IlReader.Dependencies(type).Select(static d => d.Type).Where(static to => Packages.Contains(to.Assembly) && !IsGenerated(to)))
            {
                knows[FileOf(type, files)].Add(FileOf(to, files));
            }
        }

        Dictionary<string, HashSet<string>> reaches = knows.Keys.ToDictionary(static file => file, file => Reachable(file, knows), StringComparer.Ordinal);
        string[] circles = [.. knows.Keys
            .Select(file => reaches[file].Where(to => to != file && reaches[to].Contains(file)).Append(file).Order(StringComparer.Ordinal).ToArray())
            .Where(static circle => circle.Length > 2)
            .Select(static circle => string.Join(", ", circle))
            .Distinct()];
        Assert.True(circles.Length == 0, "These know each other in circles:\n" + string.Join('\n', circles));
    }

    [Fact]
    public void The_engine_knows_nothing_of_caching()
        => Assert.DoesNotContain(
            Packages[1].GetReferencedAssemblies(),
            static one
                => one.Name == Root
                    || one.Name!.StartsWith("Microsoft.Extensions.Caching", StringComparison.Ordinal)
                    || one.Name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));

    [Fact]
    public void The_reader_sees_through_method_bodies()
    {
        HashSet<Type> seen = [.. IlReader.Dependencies(typeof(MemcachedDistributedCache.Client.ClusterClient)).Select(static d => d.Type)];
        Assert.Contains(typeof(MemcachedDistributedCache.Cluster.HashRing), seen);
        Assert.Contains(typeof(MemcachedDistributedCache.Protocol.ItemSize), seen);
    }

    [Fact]
    public void Only_transport_knows_sockets()
    {
        string[] others =
        [
            .. Types
                .Where(static type => RoomOf(type) != Array.IndexOf(Rooms, "Transport"))
                .Where(static type =>
                    IlReader
                        .Dependencies(type)
                        .Any(static d =>
                            d.Type.Namespace?.StartsWith("System.Net", StringComparison.Ordinal) == true && d.Type.Name is not ("IPAddress" or "SslClientAuthenticationOptions")))
                .Select(static type => type.FullName!),
        ];
        Assert.Empty(others);
    }

    [Fact]
    public void All_in_a_room_is_internal()
        => Assert.All(
            Types.Where(static type => Outermost(type).Namespace is { } name && name != Root && name != Registration),
            static type => Assert.False(type.IsVisible, $"{type} is public"));

    private static int RoomOf(Type type)
    {
        Type outer = Outermost(type);
        bool isEngine = outer.Assembly == Packages[1];
        return Array.IndexOf(Rooms, outer.Namespace switch
        {
            Registration => isEngine ? "Engine" : "Cache",

                // As in the package of the caches, the product and its options are one room.
                Root + ".Options" when isEngine => "Engine",

                // The words in which a package speaks to its users: every room of it may use them.
                Root when outer.IsEnum || (isEngine && outer.IsValueType) || typeof(Exception).IsAssignableFrom(outer)
                    || outer == typeof(MemcachedFailure) || outer == typeof(MemcachedHybridCacheOptions) =>
                    isEngine ? "Vocabulary" : "Backend",
                Root => isEngine ? "Engine" : "Cache",
    
            // A folder within a room, such as that of a dialect, is the room's.
            { } name => name[(Root.Length + 1)..].Split('.')[0],
                _ => "",
            });
    }

    /// <summary>
    /// The product and its options are one room: options are validated by what stands beside them. So are the public client and what
    /// its calls are made of.
    /// </summary>
    private static int RankOf(Type type)
        => Rooms[RoomOf(type)] is "Engine" ? Array.IndexOf(Rooms, "Client") : Math.Max(1, RoomOf(type));

    private static HashSet<string> Reachable(string from, Dictionary<string, HashSet<string>> knows)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var next = new Stack<string>([from]);
        while (next.TryPop(out string? file))
        {
            foreach (string to in knows[file].Where(seen.Add))
            {
                next.Push(to);
            }
        }

        return seen;
    }

    /// <summary>The file in which each type is written, as the sources have it.</summary>
    private static Dictionary<(string Namespace, string Name), string> Files()
    {
        var files = new Dictionary<(string, string), string>();
        foreach (string package in (string[])["MemcachedDistributedCache", "MemcachedDistributedCache.Client"])
        {
            string folder = Path.Combine(FileLengthTests.Root(), "src", package);
            foreach (
                string file in Directory
                    .EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
                    .Where(file => !Path.GetRelativePath(folder, file).StartsWith("obj", StringComparison.Ordinal)))
            {
                string text = File.ReadAllText(file);
                string space = Namespace().Match(text).Groups["name"].Value;
                foreach (Match declared in Declaration().Matches(text))
                {
                    files[(space, declared.Groups["name"].Value)] = Path.Combine(package, Path.GetRelativePath(folder, file));
                }
            }
        }

        return files;
    }

    private static string FileOf(Type type, Dictionary<(string Namespace, string Name), string> files)
    {
        Type outer = Outermost(type);
        return files[(outer.Namespace!, outer.Name.Split('`')[0])];
    }

    [GeneratedRegex(@"^namespace (?<name>[\w.]+);", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Namespace();

    [GeneratedRegex(
        @"^(public|internal) ([\w ]*(class|struct|interface|enum|record) (?<name>\w+)|delegate .*? (?<name>\w+)(<[\w, ]*>)?\()",
        RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Declaration();

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static bool IsGenerated(Type type)
    {
        Type outer = Outermost(type);
        return outer.Namespace is null || outer.Name.StartsWith('<') || outer.Name.StartsWith("__", StringComparison.Ordinal)
            || (outer.GetCustomAttribute<CompilerGeneratedAttribute>() is not null && outer.DeclaringType is null)
            || outer.GetCustomAttribute<System.CodeDom.Compiler.GeneratedCodeAttribute>() is not null;
    }

    private static string Name(Type type) => type.FullName![(type.FullName!.StartsWith(Root, StringComparison.Ordinal) ? Root.Length + 1 : 0)..];
}
