using System.Collections.Immutable;
using System.Text.Json.Serialization;
using System.Text.Json;

#pragma warning disable CA1024, CA1051, CA1822, CA1823, CA1852, CA2227, CS0067, CS0414, CS0649, IDE0044, IDE0051, IDE0052, IDE0060, IDE0290, MA0016, MA0048, S1144, S2325, S3459, S4487
// Types as applications have them, with all that JSON makes of them.
namespace MemcachedDistributedCache.Tests.Hybrid.Types;

internal sealed record Point(int X, int Y);

internal readonly record struct Price(decimal Amount, string Currency);

internal enum Colour
{
    Red,
    Green,
}

internal sealed class Plain
{
    public int Number { get; set; }

    public string? Text { get; set; }

    public List<int> Numbers { get; set; } = [];

    public Dictionary<string, Point> Points { get; set; } = [];

    public DateTime? When { get; set; }

    public byte[]? Bytes { get; set; }

    public Colour Colour { get; set; }
}

internal sealed class Initialised
{
    public required int Number { get; init; }

    public string Text { get; init; } = "";
}

internal sealed class Fielded
{
    public int Number;

    public string? Text;
}

internal sealed class Constructed
{
    [JsonConstructor]
    public Constructed(int number) => Number = number;

    public int Number { get; }

    public int Twice => Number * 2;
}

internal sealed class Included
{
    [JsonInclude]
    public int Number { get; private set; }

    public static Included Of(int number) => new() { Number = number };
}

internal sealed class Ignored
{
    [JsonIgnore]
    public int Number { get; set; }

    [JsonIgnore]
    public string? Field;
}

internal sealed class Aged
{
    public DateTime Since { get; set; }

    public long Age => Random.Shared.NextInt64();
}

internal sealed class Lazily
{
    private string? _text;

    public int Number { get; set; }

    public string Text => _text ??= $"number {Number}";
}

internal sealed class Guarded
{
    private readonly Lock _lock = new();
    private readonly object _old = new();
    private readonly SemaphoreSlim _gate = new(1);

    public int Number { get; set; }

    public event EventHandler? Changed;

    public void Listen() => Changed += static (_, _) => { };
}

internal sealed class Tree
{
    public string Name { get; set; } = "";

    public List<Tree> Children { get; set; } = [];
}

[JsonDerivedType(typeof(Circle), "circle")]
internal abstract class Named
{
    public string Name { get; set; } = "";
}

internal sealed class Circle : Named
{
    public double Radius { get; set; }
}

internal class Animal
{
    public string Name { get; set; } = "";
}

internal sealed class Dog : Animal
{
    public int Tricks { get; set; }
}

internal sealed class Kennel
{
    public List<Animal> Animals { get; set; } = [];

    public Animal? Favourite { get; set; }
}

internal sealed class PrivateSetter
{
    public int Number { get; private set; }

    public static PrivateSetter Of(int number) => new() { Number = number };
}

internal class ProtectedSetter
{
    public int Number { get; protected set; }

    public static ProtectedSetter Of(int number) => new() { Number = number };
}

internal sealed class InternalSetter
{
    public int Number { get; internal set; }
}

internal sealed class GetOnly
{
    public GetOnly()
    {
    }

    public GetOnly(int number) => Number = number;

    public int Number { get; }
}

internal sealed class PrivateState
{
    private decimal _amount;

    public void Add(decimal amount) => _amount += amount;

    public decimal Total() => _amount;
}

internal sealed class InternalProperty
{
    public int Number { get; set; }

    internal string? Text { get; set; }
}

internal struct Hidden
{
    private int _number;

    public static Hidden Of(int number) => new() { _number = number };

    public readonly int Number() => _number;
}

internal sealed class Untyped
{
    public object? Value { get; set; }
}

internal sealed class GetOnlyList
{
    public List<int> Numbers { get; } = [];
}

internal sealed class Populated
{
    [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
    public List<int> Numbers { get; } = [];
}

internal sealed class Page : List<int>
{
    public int Total { get; set; }
}

internal sealed class Defaulted
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Number { get; set; } = 5;
}

internal sealed class Rounded
{
    [JsonConverter(typeof(WholeSeconds))]
    public DateTime When { get; set; }

    internal sealed class WholeSeconds : JsonConverter<DateTime>
    {
        public override DateTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
            => DateTimeOffset.FromUnixTimeSeconds(reader.GetInt64()).UtcDateTime;

        public override void Write(Utf8JsonWriter writer, DateTime value, JsonSerializerOptions options)
            => writer.WriteNumberValue(new DateTimeOffset(value).ToUnixTimeSeconds());
    }
}

internal sealed class Normalising
{
    private string _text = "";

    public string Text
    {
        get => _text;
        set => _text = value + "!";
    }
}

internal sealed class Called
{
    public int Number { get; set; }

    public Action? Callback;
}

internal sealed class Nested
{
    public List<Called> All { get; set; } = [];
}

internal sealed class HandleHolder
{
    public int Number { get; set; }

    public IntPtr Handle;

    public Type? Kind;

    public int[,]? Grid;

    public Dictionary<(int, int), string>? Map;

    public Exception? Failure;
}

internal sealed class CalledByProperty
{
    public Action? Callback { get; set; }
}

internal interface IShape
{
    int Sides { get; }
}

internal sealed record Square(int Size) : IShape
{
    public int Sides => 4;
}

internal abstract class Base
{
    public int Number { get; set; }
}

internal sealed class Derived : Base;

internal sealed class Drawing
{
    public IShape? Shape { get; set; }
}

internal sealed class TwoConstructors
{
    public TwoConstructors(int number) => Number = number;

    public TwoConstructors(string text) => Number = text.Length;

    public int Number { get; }
}

internal sealed class OtherParameter
{
    public OtherParameter(int count) => Number = count;

    public int Number { get; }
}

internal sealed class Loop
{
    public Loop? Self { get; set; }
}

internal sealed class Colliding
{
    [JsonPropertyName("a")]
    public int First { get; set; }

    [JsonPropertyName("a")]
    public int Second { get; set; }
}

internal sealed class Shelf
{
    public ImmutableArray<Price> Prices { get; set; } = [];
}
