using MemcachedDistributedCache.Client;
using System.Buffers;
using System.Collections.Frozen;
using System.Text.Json;
using System.Text;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Tests.Hybrid.Types;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>How values are written and read, and what becomes of types that cannot be.</summary>
public sealed class SerializerTests : IDisposable
{
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly HybridRig _one;
    private readonly HybridRig _other;

    public SerializerTests()
    {
        _one = new HybridRig(_model);
        _other = new HybridRig(_model);
    }

    public void Dispose()
    {
        _one.Dispose();
        _other.Dispose();
    }

    [Fact]
    public async Task A_type_that_cannot_be_read_is_told_once_and_neither_written_nor_asked_for_again()
    {
        FrozenSet<int> value = FrozenSet.ToFrozenSet([1, 2]);
        Assert.Same(value, await Get(_one, "a", value));
        Assert.Equal(0, _one.Client.Count("cas", "#=a") + _one.Client.Count("set", "#=a"));
        int calls = _one.Client.Calls.Count(static call => call.Key.StartsWith("#=", StringComparison.Ordinal));
        for (int i = 0; i < 3; i++)
        {
            Assert.Same(value, await Get(_one, "a", value));
            Assert.Same(value, await Get(_one, "b", value));
        }

        Assert.Equal(calls, _one.Client.Calls.Count(static call => call.Key.StartsWith("#=", StringComparison.Ordinal)));
        Assert.Equal((7, 7), (_one[HybridEvent.FactoryRun], _one[HybridEvent.SerializationFailed]));
        Assert.Equal(CacheEventIds.HybridNeverCached, Assert.Single(_one.Log.Ids));
        Assert.DoesNotContain(_model.Keys, static key => key.StartsWith("#=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_set_of_a_type_that_cannot_be_read_removes_what_was_there()
    {
        await _one.Set("a", "old");
        await _one.Parts.Changes.SetAsync("a", FrozenSet.ToFrozenSet([1, 2]), _one.Options(), []);
        await _one.Parts.Changes.SetAsync("a", FrozenSet.ToFrozenSet([1, 2]), _one.Options(), []);
        Assert.Null(await _other.Peek("a"));
        Assert.Equal(CacheEventIds.HybridNeverCached, Assert.Single(_one.Log.Ids));
    }

    [Fact]
    public async Task A_type_whose_first_value_could_be_read_is_refused_with_its_own_value_that_cannot()
    {
        Assert.Empty(await Get(_one, "empty", new List<IShape>()));
        Assert.Equal(1, _one.Client.Count("cas", "#=empty"));
        Assert.Single(await Get(_one, "full", new List<IShape> { new Square(2) }));

        // Its own copy cannot be read: so much is seen when somebody asks for it.
        Assert.Single(await Get(_one, "full", new List<IShape> { new Square(3) }));
        Assert.Equal([CacheEventIds.HybridNotDeserializable, CacheEventIds.HybridNeverCached], _one.Log.Ids.Distinct());
        Assert.Single(await Get(_one, "full", new List<IShape> { new Square(4) }));
        Assert.Equal(1, _one.Log.Ids.Count(static id => id == CacheEventIds.HybridNeverCached));
    }

    [Fact]
    public async Task A_null_of_a_type_that_is_refused_is_not_kept_either()
    {
        await _one.Ask<IShape?>("first", static _ => Task.FromResult<IShape?>(new Square(2)));
        Assert.True(_one.Parts.Codecs.Of<IShape?>().IsRefused);
        Assert.Null((await _one.Ask("key", static _ => Task.FromResult<IShape?>(null))).Value);
        Assert.NotNull((await _one.Ask("key", static _ => Task.FromResult<IShape?>(new Square(3)))).Value);
    }

    [Fact]
    public async Task Values_that_cannot_be_written_refuse_no_type_that_has_passed()
    {
        await _one.Ask("good", static _ => Task.FromResult<object>(1));
        ValueCodec<object> codec = _one.Parts.Codecs.Of<object>();
        codec.Proof!.NoteUnreadable(new NotSupportedException()); // as of what a stranger has written
        for (int i = 0; i < 5; i++)
        {
            await _one.Ask("bad", static _ => Task.FromResult<object>(typeof(string)));
        }

        Assert.False(codec.IsRefused);
        await _one.Ask("better", static _ => Task.FromResult<object>(2));
        Assert.Equal(1, _one.Client.Count("cas", "#=better"));
    }

    [Fact]
    public async Task A_strangers_value_that_cannot_be_read_refuses_no_type()
    {
        Drawing plain = await Get(_one, "plain", new Drawing());
        Assert.Null(plain.Shape);
        await Get(_other, "planted", new Drawing());
        byte[] item = _model.Get("#=planted", this).Value!;
        byte[] planted = [.. item[..^"""{"Shape":null}""".Length], .. """{"Shape":{"a":1}}"""u8];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(planted.AsSpan(20), """{"Shape":{"a":1}}""".Length);
        _model.Store("#=planted", planted, EntryLayout.Flags, 100, null, false, this);
        Assert.Null((await Get(_one, "planted", new Drawing())).Shape);
        Assert.Equal(1, _one[HybridEvent.DeserializationFailed]);
        Assert.Null((await Get(_other, "planted", new Drawing { Shape = new Square(9) })).Shape);
        Assert.DoesNotContain(CacheEventIds.HybridNeverCached, _one.Log.Ids);
        await Get(_one, "more", new Drawing());
        Assert.Equal(1, _one.Client.Count("cas", "#=more"));
    }

    [Fact]
    public async Task Only_the_first_value_of_a_type_is_read_back()
    {
        var serializer = new Counting();
        using ServiceProvider services = new ServiceCollection().AddSingleton<IHybridCacheSerializer<Point>>(serializer).BuildServiceProvider();
        using var rig = new HybridRig(_model, static settings => settings.VerifySerialization = true, services: services);
        for (int i = 0; i < 5; i++)
        {
            await Get(rig, "key" + i, new Point(i, i));
        }

        Assert.Equal((5, 1), (serializer.Writes, serializer.Reads));

        // What another serializer than JSON loses is told as well.
        Assert.Equal(CacheEventIds.HybridNotCarried, Assert.Single(rig.Log.Ids));
        Assert.Contains("Point.Y", Assert.Single(rig.Log.Entries, static entry => entry.Id == CacheEventIds.HybridNotCarried).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_difference_is_not_looked_for_unless_it_is_wanted()
    {
        Assert.Equal(3, (await Get(_one, "key", PrivateSetter.Of(3))).Number);
        Assert.Empty(_one.Log.Ids);
        using var rig = new HybridRig(_model, static settings => settings.VerifySerialization = true);
        await Get(rig, "other", PrivateSetter.Of(3));
        await Get(rig, "another", PrivateSetter.Of(4));
        Assert.Equal(CacheEventIds.HybridNotCarried, Assert.Single(rig.Log.Ids));
    }

    [Theory]
    [InlineData(null, "Development", true)]
    [InlineData(null, "development", true)]
    [InlineData(null, "Production", false)]
    [InlineData(false, "Development", false)]
    [InlineData(true, "Production", true)]
    public void The_check_is_on_in_development_or_where_the_option_says_so(bool? option, string environment, bool expected)
    {
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create("environment", (string?)environment)]).Build();
        using ServiceProvider provider = new ServiceCollection()
            .AddSingleton(configuration)
            .AddMemcachedHybridCache(options =>
            {
                options.Servers = ["127.0.0.1:1"];
                options.Hybrid.VerifySerialization = option;
            })
            .BuildServiceProvider();
        Assert.Equal(expected, provider.GetRequiredService<MemcachedHybridCache>().Parts.Context.Options.VerifySerialization);
        Assert.Equal(environment.Equals("Development", StringComparison.OrdinalIgnoreCase), HostEnvironment.IsDevelopment(provider));
    }

    [Fact]
    public void The_applications_options_hold_when_json_is_read()
    {
        var options = new JsonSerializerOptions { AllowTrailingCommas = true, ReadCommentHandling = JsonCommentHandling.Skip, MaxDepth = 300 };
        byte[] text = """/* first */ {"Name":"a", "Children":[], /* last */ } // behind"""u8.ToArray();
        Assert.Equal("a", Of<Tree>(options).Read(PayloadKind.Serialized, text).Name);
        Assert.Throws<JsonException>(() => Of<Tree>(new JsonSerializerOptions()).Read(PayloadKind.Serialized, text));
        Tree root = new();
        for (Tree at = root; Depth(root) < 120; at = at.Children[0])
        {
            at.Children.Add(new Tree());
        }

        byte[] deep = Written(Of<Tree>(options), root);
        Assert.Equal(120, Depth(Of<Tree>(options).Read(PayloadKind.Serialized, deep)));
        Assert.Throws<JsonException>(() => Of<Tree>(new JsonSerializerOptions()).Read(PayloadKind.Serialized, deep));

        static int Depth(Tree tree) => tree.Children.Count == 0 ? 1 : 1 + Depth(tree.Children[0]);
    }

    [Fact]
    public void More_behind_a_value_is_refused()
        => Assert.ThrowsAny<JsonException>(() => Of<Point>(null).Read(PayloadKind.Serialized, """{"X":1,"Y":2} 3"""u8.ToArray()));

    [Fact]
    public void A_field_that_cannot_be_written_costs_itself_and_not_the_value()
    {
        using var log = new RecordingLogger();
        ValueCodec<Nested> codec = new ValueCodecs(null, verifies: false, log).Of<Nested>();
        Assert.Equal(1, codec.Read(PayloadKind.Serialized, Written(codec, new Nested { All = { new Called { Number = 1 } } })).All[0].Number);
        Assert.Empty(log.Ids);
        for (int i = 0; i < 2; i++)
        {
            Nested read = codec.Read(PayloadKind.Serialized, Written(codec, new Nested { All = { new Called { Number = 2, Callback = static () => { } } } }));
            Assert.Equal((2, null), (read.All[0].Number, read.All[0].Callback));
        }

        Assert.Contains("Called.Callback", Assert.Single(log.Entries).Message, StringComparison.Ordinal);

        // As older processes wrote it.
        Assert.Equal(3, codec.Read(PayloadKind.Serialized, """{"All":[{"Number":3,"Callback":null}]}"""u8.ToArray()).All[0].Number);
    }

    [Fact]
    public void Value_tuples_are_whole_whatever_the_options_say_of_fields()
    {
        var options = new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
        ValueCodec<List<(int, string)>> tuples = Of<List<(int, string)>>(options);
        Assert.Equal([(1, "a")], tuples.Read(PayloadKind.Serialized, Written(tuples, [(1, "a")])));
        ValueCodec<(Fielded, Plain)> mixed = Of<(Fielded, Plain)>(options);
        string text = Encoding.UTF8.GetString(Written(mixed, (new Fielded { Number = 7 }, new Plain { Number = 8 })));
        Assert.Contains("\"number\":8", text, StringComparison.Ordinal);
        Assert.DoesNotContain("7", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_keeps_a_type_from_being_described_is_named()
    {
        string message = Assert.Throws<InvalidOperationException>(() => Of<Colliding>(null)).Message;
        Assert.Contains("Colliding.a' collides", message, StringComparison.Ordinal);
        Assert.Contains("[JsonIgnore]", message, StringComparison.Ordinal);
        Assert.Contains("IHybridCacheSerializer<Colliding>", message, StringComparison.Ordinal);
        message = Assert.Throws<InvalidOperationException>(() => Of<Plain>(new JsonSerializerOptions { TypeInfoResolver = OnlyPoint.Default })).Message;
        Assert.Contains("AddKeyedSingleton<JsonSerializerOptions>", message, StringComparison.Ordinal);
        Assert.Contains(nameof(OnlyPoint), message, StringComparison.Ordinal);
    }

    [Fact]
    public void Serializers_are_chosen_by_type_then_text_and_bytes_then_the_last_factory_then_json()
    {
        using ServiceProvider services = new ServiceCollection()
            .AddSingleton<IHybridCacheSerializer<Point>>(new Counting())
            .AddSingleton<IHybridCacheSerializerFactory>(new Maker(1))
            .AddSingleton<IHybridCacheSerializerFactory>(new Maker(2))
            .AddSingleton<IHybridCacheSerializerFactory>(new Maker(3, takes: false))
            .BuildServiceProvider();
        var codecs = new ValueCodecs(services, verifies: false, NullLogger.Instance);
        Assert.Equal("1"u8.ToArray(), Written(codecs.Of<Point>(), new Point(1, 2)));
        Assert.Equal([2], Written(codecs.Of<Plain>(), new Plain()));
        Assert.Equal("text"u8.ToArray(), Written(codecs.Of<string>(), "text"));
        Assert.Equal([9, 8], Written(codecs.Of<byte[]>(), [9, 8]));
        Assert.Equal("{}"u8.ToArray(), Written(new ValueCodecs(null, false, NullLogger.Instance).Of<PrivateState>(), new PrivateState()));
        Assert.Same(codecs.Of<Plain>(), codecs.Of<Plain>());
    }

    [Fact]
    public async Task Bytes_are_each_callers_own_and_text_is_shared()
    {
        byte[] bytes = [1, 2, 3];
        byte[] first = await Get(_one, "bytes", bytes);
        byte[] second = await Get(_one, "bytes", Array.Empty<byte>());
        Assert.Equal(bytes, second);
        Assert.NotSame(first, second);
        second[0] = 9;
        Assert.Equal(bytes, await Get(_one, "bytes", Array.Empty<byte>()));
        string text = new('t', 5);
        Assert.Same(text, await Get(_one, "text", text));
        Assert.Same(text, await Get(_one, "text", "other"));
    }

    private static async Task<T> Get<T>(HybridRig rig, string key, T value)
    {
        CallOptions options = rig.Options();
        return rig.Parts.Reader.TryGetLocal(key, options, out T? here, out _)
            ? here!
            : (
                await rig.Parts.GetOrCreate.GetAsync(
                    GetOrCreateRequest.Of(key, options, [], ValueFactory.Of(value, static (made, _) => new ValueTask<T>(made))),
                    CancellationToken.None)).Value;
    }

    private static ValueCodec<T> Of<T>(JsonSerializerOptions? options)
    {
        var services = new ServiceCollection();
        if (options is not null)
        {
            services.AddKeyedSingleton<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>), options);
        }

        return new ValueCodecs(services.BuildServiceProvider(), verifies: false, NullLogger.Instance).Of<T>();
    }

    private static byte[] Written<T>(ValueCodec<T> codec, T value)
    {
        using var writer = new PooledWriter();
        codec.Write(value, writer);
        return writer.Written.ToArray();
    }

    /// <summary>Writes one of two members.</summary>
    private sealed class Counting : IHybridCacheSerializer<Point>
    {
        public int Reads { get; private set; }

        public int Writes { get; private set; }

        public Point Deserialize(ReadOnlySequence<byte> source)
        {
            Reads++;
            return new Point(int.Parse(Encoding.UTF8.GetString(source.ToArray()), System.Globalization.CultureInfo.InvariantCulture), -1);
        }

        public void Serialize(Point value, IBufferWriter<byte> target)
        {
            Writes++;
            target.Write(Encoding.UTF8.GetBytes(value.X.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        }
    }

    private sealed class Maker(byte number, bool takes = true) : IHybridCacheSerializerFactory
    {
        public bool TryCreateSerializer<T>([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IHybridCacheSerializer<T>? serializer)
        {
            serializer = takes ? new One<T>(number) : null;
            return takes;
        }

        private sealed class One<T>(byte number) : IHybridCacheSerializer<T>
        {
            public T Deserialize(ReadOnlySequence<byte> source) => default!;

            public void Serialize(T value, IBufferWriter<byte> target) => target.Write([number]);
        }
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(Point))]
internal sealed partial class OnlyPoint : System.Text.Json.Serialization.JsonSerializerContext;
