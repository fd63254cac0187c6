using System.Reflection;
using System.Runtime.CompilerServices;

namespace MemcachedDistributedCache.Tests.Product;

/// <summary>Namespaces are rooms, and arrows between them go down the list only.</summary>
public sealed class ArchitectureTests
{
    private const string Root = "MemcachedDistributedCache";
    private const string Registration = "Microsoft.Extensions.DependencyInjection";

    /// <summary>From the top: the product, its options, then each room above what it may know.</summary>
    private static readonly string[] Rooms = ["", "Options", "Hybrid", "Caching", "Client", "Resilience", "Cluster", "Connections", "Protocol", "Transport", "Diagnostics"];

    private static readonly Type[] Types = [.. typeof(MemcachedCache).Assembly.GetTypes().Where(static type => Outermost(type).Namespace is { } name && (name == Registration || name.StartsWith(Root, StringComparison.Ordinal)) && !IsGenerated(type))];

    [Fact]
    public void Every_type_lives_in_a_room()
        => Assert.All(Types, static type => Assert.True(RoomOf(type) >= 0, $"{type} is in no room of the design"));

    [Fact]
    public void Arrows_go_down_only()
    {
        string[] up = [.. Types
            .SelectMany(static type => IlReader.Dependencies(type).Select(d => (From: type, To: d.Type, d.Where)))
            .Where(static arrow => arrow.To.Assembly == typeof(MemcachedCache).Assembly && !IsGenerated(arrow.To))
            .Where(static arrow => RankOf(arrow.To) < RankOf(arrow.From) && !IsVocabulary(arrow.From, arrow.To))
            .Select(static arrow => $"{Name(Outermost(arrow.From))} -> {Name(Outermost(arrow.To))} in {arrow.Where}")
            .Distinct()
            .Order(StringComparer.Ordinal)];
        Assert.True(up.Length == 0, "These point up:\n" + string.Join('\n', up));
    }

    [Fact]
    public void The_reader_sees_through_method_bodies()
    {
        HashSet<Type> seen = [.. IlReader.Dependencies(typeof(MemcachedDistributedCache.Client.MemcachedClient)).Select(static d => d.Type)];
        Assert.Contains(typeof(MemcachedDistributedCache.Cluster.HashRing), seen);
        Assert.Contains(typeof(MemcachedDistributedCache.Protocol.ItemSize), seen);
    }

    [Fact]
    public void Only_transport_knows_sockets()
    {
        string[] others = [.. Types.Where(static type => RoomOf(type) != Array.IndexOf(Rooms, "Transport"))
            .Where(static type => IlReader.Dependencies(type).Any(static d => d.Type.Namespace?.StartsWith("System.Net", StringComparison.Ordinal) == true && d.Type.Name != "IPAddress"))
            .Select(static type => type.FullName!)];
        Assert.Empty(others);
    }

    [Fact]
    public void All_below_the_root_is_internal()
        => Assert.All(Types.Where(static type => RoomOf(type) > 0), static type => Assert.False(type.IsVisible, $"{type} is public"));

    /// <summary>The words in which the product speaks to its users: enums everywhere, exceptions where they are thrown, at the caches.</summary>
    private static bool IsVocabulary(Type from, Type to)
        => RoomOf(to) == 0 && (to.IsEnum || (typeof(Exception).IsAssignableFrom(to) && Rooms[RoomOf(from)] is "Caching" or "Hybrid"));

    private static int RoomOf(Type type)
    {
        string name = Outermost(type).Namespace ?? "";
        return name is Root or Registration ? 0 : Array.IndexOf(Rooms, name[(Root.Length + 1)..]);
    }

    /// <summary>The product and its options are one fence: options are validated by what stands beside them.</summary>
    private static int RankOf(Type type) => Math.Max(1, RoomOf(type));

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
