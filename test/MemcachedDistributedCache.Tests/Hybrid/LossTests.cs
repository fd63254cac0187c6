using MemcachedDistributedCache.Client;
using System.Buffers;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Collections.ObjectModel;
using System.Collections;
using System.Dynamic;
using System.Numerics;
using System.Text.Json.Nodes;
using System.Text.Json;
using System.Text;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Tests.Hybrid.Types;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>
/// Each kind of type that applications cache: whether its serializer carries it, and whether the log says so where it
/// does not.
/// </summary>
public sealed class LossTests
{
    private static readonly DateTime Noon = new(2026, 11, 28, 12, 0, 0, 500, DateTimeKind.Utc);

    private static readonly Dictionary<string, Case> Cases = new(StringComparer.Ordinal)
    {
        ["a record"] = Whole(new Point(1, 2)),
        ["a record struct"] = Whole(new Price(1.5m, "EUR")),
        ["a class with setters"] = Whole(new Plain { Number = 1, Text = "a", Numbers = [1, 2], Points = { ["p"] = new Point(1, 2) }, When = Noon, Bytes = [1, 2], Colour = Colour.Green }),
        ["init and required"] = Whole(new Initialised { Number = 1, Text = "a" }),
        ["public fields"] = Whole(new Fielded { Number = 1, Text = "a" }),
        ["a constructor that is named"] = Whole(new Constructed(3)),
        ["an included private setter"] = Whole(Included.Of(3)),
        ["members that are meant to be left out"] = Whole(new Ignored { Number = 3, Field = "a" }),
        ["a property that is never the same"] = Whole(new Aged { Since = Noon }),
        ["a property that is computed once"] = Whole(new Lazily { Number = 3 }),
        ["locks and events"] = Whole(Listening()),
        ["a tree"] = Whole(new Tree { Name = "a", Children = { new Tree { Name = "b", Children = { new Tree() } } } }),
        ["a derived type that is named"] = Whole<Named>(new Circle { Name = "a", Radius = 2 }),
        ["a list of derived types that are named"] = Whole(new List<Named> { new Circle { Radius = 2 } }),
        ["a list that is populated"] = Whole(new Populated { Numbers = { 1, 2 } }),
        ["an anonymous type"] = Whole(new { Number = 1, Text = "a" }),
        ["a number"] = Whole(12),
        ["a double"] = Whole(0.1),
        ["an enumeration"] = Whole(Colour.Green),
        ["a nullable"] = Whole<int?>(3),
        ["a moment"] = Whole(Noon),
        ["a local moment"] = Whole(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.FromHours(5))),
        ["a time span"] = Whole(TimeSpan.FromMilliseconds(5)),
        ["a guid"] = Whole(Guid.NewGuid()),
        ["an address"] = Whole(new Uri("https://example.org/a?b")),
        ["a version"] = Whole(new Version(1, 2)),
        ["a value tuple"] = Whole((1, "a")),
        ["a nested value tuple"] = Whole((1, ("a", new Point(1, 2)), new List<(int, int)> { (1, 2) })),
        ["a long value tuple"] = Whole((1, 2, 3, 4, 5, 6, 7, 8, 9)),
        ["a tuple"] = Whole(Tuple.Create(1, "a")),
        ["an array"] = Whole<int[]>([1, 2, 3]),
        ["an array of arrays"] = Whole<int[][]>([[1], [2, 3]]),
        ["a read-only list"] = Whole<IReadOnlyList<Point>>([new Point(1, 2)]),
        ["an enumerable"] = Whole(Enumerable.Range(0, 5).Select(static i => i * 2)),
        ["a set"] = Whole(new HashSet<int> { 3, 1, 2 }),
        ["a set whose order is another"] = Whole(Reordered()),
        ["a sorted set"] = Whole(new SortedSet<string>(StringComparer.Ordinal) { "b", "a" }),
        ["a queue"] = Whole(new Queue<int>([1, 2, 3])),
        ["a dictionary"] = Whole(new Dictionary<int, Point> { [1] = new Point(1, 2) }),
        ["a dictionary by interface"] = Whole<IReadOnlyDictionary<string, int>>(new Dictionary<string, int>(StringComparer.Ordinal) { ["a"] = 1 }),
        ["a concurrent dictionary"] = Whole(new ConcurrentDictionary<string, int>(StringComparer.Ordinal) { ["a"] = 1 }),
        ["an immutable array"] = Whole(new Shelf { Prices = [new Price(1, "EUR")] }),
        ["an immutable dictionary"] = Whole(ImmutableDictionary<string, int>.Empty.Add("a", 1)),
        ["an observable collection"] = Whole(new ObservableCollection<int> { 1, 2 }),
        ["memory"] = Whole(new ReadOnlyMemory<byte>([1, 2, 3])),
        ["a json element"] = Whole(JsonDocument.Parse("""{"a":[1,2]}""").RootElement),
        ["a json node"] = Whole(JsonNode.Parse("""{"a":[1,2]}""")!),
        ["nulls in a list"] = Whole(new List<string?> { null, "a" }),
        ["no object in an untyped member"] = Whole(new Untyped()),

        ["a private setter"] = Lost(PrivateSetter.Of(3), "PrivateSetter.Number"),
        ["a protected setter"] = Lost(ProtectedSetter.Of(3), "ProtectedSetter.Number"),
        ["an internal setter"] = Lost(new InternalSetter { Number = 3 }, "InternalSetter.Number"),
        ["no setter"] = Lost(new GetOnly(3), "GetOnly.Number"),
        ["private state"] = Lost(Paid(), "PrivateState._amount"),
        ["private state of a struct"] = Lost(Hidden.Of(3), "Hidden._number"),
        ["an internal property"] = Lost(new InternalProperty { Text = "a" }, "InternalProperty.Text"),
        ["a private setter in a list"] = Lost(new List<PrivateSetter> { PrivateSetter.Of(3) }, "List`1[*].Number"),
        ["a private setter in a dictionary"] = Lost(new Dictionary<string, PrivateSetter> { ["secret"] = PrivateSetter.Of(3) }, "Dictionary`2[*].Number"),
        ["a derived value"] = Lost<Animal>(new Dog { Tricks = 3 }, "Animal"),
        ["a derived member"] = Lost(new Kennel { Favourite = new Dog { Tricks = 3 } }, "Kennel.Favourite"),
        ["a derived element"] = Lost(new Kennel { Animals = { new Animal(), new Dog { Tricks = 3 } } }, "Kennel.Animals[*]"),
        ["an object member"] = Lost(new Untyped { Value = 3 }, "Untyped.Value"),
        ["an object"] = Lost<object>(new Point(1, 2), "Object"),
        ["objects in an array"] = Lost<object[]>([1, "a"], "Object[][*]"),
        ["objects in a dictionary"] = Lost(new Dictionary<string, object> { ["a"] = 1 }, "Dictionary`2[*]"),
        ["an array list"] = Lost(new ArrayList { 1 }, "ArrayList[*]"),
        ["a hashtable"] = Lost(new Hashtable { ["a"] = 1 }, "Hashtable[*]"),
        ["an expando"] = Lost(Expando(), "ExpandoObject[*]"),
        ["a dictionary's comparer"] = Lost(new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase) { ["a"] = 1 }, "Dictionary`2"),
        ["a set's comparer"] = Lost(new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "a" }, "HashSet`1"),
        ["a stack"] = Lost(new Stack<int>([1, 2, 3]), "Stack`1"),
        ["a concurrent stack"] = Lost(new ConcurrentStack<int>([1, 2, 3]), "ConcurrentStack`1"),
        ["a get-only list"] = Lost(new GetOnlyList { Numbers = { 1, 2 } }, "GetOnlyList.Numbers"),
        ["a list with a total"] = Lost(new Page { 1, 2 }.With(100), "Page.Total"),
        ["a string builder"] = Lost(new StringBuilder("abc"), "StringBuilder."),
        ["a big integer"] = Lost(BigInteger.Parse("123456789012345678901234567890", System.Globalization.CultureInfo.InvariantCulture), "BigInteger."),
        ["a complex number"] = Lost(new Complex(1, 2), "Complex."),
        ["a bit array"] = Unreadable(new BitArray(3, true)),
        ["a lone surrogate"] = Lost(new Point2("\ud800"), "Point2.Text"),
        ["a default that is not written"] = Lost(new Defaulted { Number = 0 }, "Defaulted.Number"),
        ["a converter that rounds"] = Lost(new Rounded { When = Noon }, "Rounded.When"),
        ["a setter that changes"] = Lost(new Normalising { Text = "a" }, "Normalising.Text"),
        ["a lazy value"] = Told(new Lazy<int>(static () => 3)),
        ["a public delegate field"] = Lost(new Called { Number = 3, Callback = static () => { } }, "Called.Callback"),
        ["a public delegate field in a list"] = Lost(new Nested { All = { new Called { Callback = static () => { } } } }, "Called.Callback"),
        ["public fields of all kinds that JSON has not"] = Lost(
            new HandleHolder { Number = 1, Handle = 5, Kind = typeof(int), Grid = new int[1, 1], Map = new() { [(1, 2)] = "a" }, Failure = new FormatException() },
            "HandleHolder.Handle"),

        ["an interface"] = Unreadable<IShape>(new Square(2)),
        ["an abstract type"] = Unreadable<Base>(new Derived()),
        ["a list of an interface"] = Unreadable(new List<IShape> { new Square(2) }),
        ["a member of an interface"] = Unreadable(new Drawing { Shape = new Square(2) }, "Drawing.Shape"),
        ["a frozen set"] = Unreadable(FrozenSet.ToFrozenSet([1, 2])),
        ["a frozen dictionary"] = Unreadable(new Dictionary<string, int>(StringComparer.Ordinal) { ["a"] = 1 }.ToFrozenDictionary(StringComparer.Ordinal)),
        ["a read-only collection"] = Unreadable(new ReadOnlyCollection<int>([1, 2])),
        ["a read-only dictionary"] = Unreadable(new ReadOnlyDictionary<string, int>(new Dictionary<string, int>(StringComparer.Ordinal) { ["a"] = 1 })),
        ["a lookup"] = Unreadable(new[] { 1, 2 }.ToLookup(static i => i % 2)),
        ["two constructors"] = Unreadable(new TwoConstructors(3)),
        ["a parameter of another name"] = Unreadable(new OtherParameter(3)),

        ["tuples as keys"] = Unwritable(new Dictionary<(int, int), string> { [(1, 2)] = "a" }),
        ["a delegate property"] = Unwritable(new CalledByProperty { Callback = static () => { } }, "CalledByProperty.Callback"),
        ["a type"] = Unwritable(typeof(int)),
        ["an array of two dimensions"] = Unwritable(new int[2, 2]),
        ["an exception"] = Unwritable<Exception>(Thrown()),
        ["a delegate in a tuple"] = Unwritable((1, new Action(static () => { }))),
        ["a circle"] = new Case(Fate.NotWritten, null, static () => Run(Looped())),
        ["not a number"] = new Case(Fate.NotWritten, null, static () => Run(double.NaN)),
    };

    private enum Fate
    {
        Whole,
        Lost,
        Told,
        Unreadable,
        Unwritable,
        NotWritten,
    }

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_type_is_carried_or_the_log_says_what_is_lost_and_how_to_cure_it(string name)
    {
        (Fate fate, string? member, Func<RecordingLogger> run) = Cases[name];
        using RecordingLogger log = run();
        string all = string.Join(Environment.NewLine, log.Entries.Select(static entry => $"{entry.Id}: {entry.Message}"));
        int[] expected = fate switch
        {
            Fate.Whole => [],
            Fate.Lost => [CacheEventIds.HybridNotCarried],
            Fate.Unreadable => [CacheEventIds.HybridNeverCached],
            Fate.Unwritable => [CacheEventIds.HybridNotSerializable, CacheEventIds.HybridNeverCached],
            Fate.NotWritten => [CacheEventIds.HybridNotSerializable],
            _ => [],
        };
        Assert.True(fate == Fate.Told ? log.Ids.Count > 0 : log.Ids.Distinct().SequenceEqual(expected), all);
        Assert.DoesNotContain("secret", all, StringComparison.Ordinal);
        if (fate is not (Fate.Whole or Fate.NotWritten))
        {
            Assert.Contains("IHybridCacheSerializer<", log.Entries[^1].Message, StringComparison.Ordinal);
            Assert.Contains(member ?? "", all, StringComparison.Ordinal);
        }

        Assert.Equal(fate is Fate.Unreadable or Fate.Unwritable, log.Ids.Contains(CacheEventIds.HybridNeverCached));
    }

    [Fact]
    public void More_than_forty_six_kinds_of_types_are_tried()
        => Assert.True(Cases.Count(static entry => entry.Value.Fate != Fate.Whole) >= 26 && Cases.Count > 46);

    private static Case Whole<T>(T value) => new(Fate.Whole, null, () => Run(value));

    private static Case Lost<T>(T value, string member) => new(Fate.Lost, member, () => Run(value));

    private static Case Told<T>(T value) => new(Fate.Told, null, () => Run(value));

    private static Case Unreadable<T>(T value, string? member = null) => new(Fate.Unreadable, member, () => Run(value));

    private static Case Unwritable<T>(T value, string? member = null) => new(Fate.Unwritable, member, () => Run(value));

    /// <summary>What the cache does with five values of a type, one after the other.</summary>
    private static RecordingLogger Run<T>(T value)
    {
        var log = new RecordingLogger();
        ValueCodec<T> codec = new ValueCodecs(null, verifies: true, log).Of<T>();
        for (int i = 0; i < 5 && !codec.IsRefused; i++)
        {
            using var writer = new PooledWriter();
            writer.Write("header"u8);
            try
            {
                PayloadKind kind = codec.Write(value, writer);
                codec.Proof?.Holds(codec, value, kind, writer.Written[6..]);
            }
            catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
            {
                codec.Proof!.NoteUnwritable(exception);
            }
        }

        return log;
    }

    private static Guarded Listening()
    {
        var value = new Guarded();
        value.Listen();
        return value;
    }

    private static PrivateState Paid()
    {
        var value = new PrivateState();
        value.Add(5);
        return value;
    }

    private static FormatException Thrown()
    {
        try
        {
            throw new FormatException("a");
        }
        catch (FormatException exception)
        {
            return exception;
        }
    }

    private static Loop Looped()
    {
        var value = new Loop();
        value.Self = value;
        return value;
    }

    private static HashSet<string> Reordered()
    {
        HashSet<string> set = new(StringComparer.Ordinal) { "a", "b", "c", "d" };
        set.Remove("b");
        set.Remove("a");
        set.Add("e");
        set.Add("f");
        set.TrimExcess();
        return set;
    }

    private static ExpandoObject Expando()
    {
        var value = new ExpandoObject();
        ((IDictionary<string, object?>)value)["a"] = 1;
        return value;
    }

    private sealed record Case(Fate Fate, string? Member, Func<RecordingLogger> Run);

    private sealed record Point2(string Text);
}

file static class Pages
{
    public static Page With(this Page page, int total)
    {
        page.Total = total;
        return page;
    }
}
