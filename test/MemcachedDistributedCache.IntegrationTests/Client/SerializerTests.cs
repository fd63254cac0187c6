using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using MemcachedDistributedCache.Testing;
using MemoryPack;
using MessagePack;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>The formats that docs/serialization.md shows, as it shows them, and JSON without reflection.</summary>
public sealed partial class SerializerTests(ThreeNodes nodes) : IClassFixture<ThreeNodes>
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private static readonly string[] Names = ["MessagePack", "MemoryPack", "Json"];

    public static TheoryData<string> Formats => [.. Names];

    [MemcachedTheory]
    [MemberData(nameof(Formats))]
    public async Task A_value_comes_back_and_what_another_format_wrote_is_unreadable(string name)
    {
        await using MemcachedClient client = nodes.Client(options => options.UseSerializer(Format(name)));
        var order = new Order { Id = 7, Lines = ["tea", "cup"], Total = 12.50m };
        Assert.True((await client.SetAsync("order", order, Minute)).IsSuccess);
        Order read = (await client.GetAsync<Order>("order")).Value;
        Assert.Equal((order.Id, order.Total), (read.Id, read.Total));
        Assert.Equal(order.Lines, read.Lines);
        foreach (string other in Names.Where(other => other != name))
        {
            await using MemcachedClient stranger = nodes.Client(options => options.UseSerializer(Format(other)));
            await stranger.SetAsync("order", order, Minute);
            MemcachedItem<byte[]> item = (await stranger.GetItemAsync<byte[]>("order")).Value;
            Assert.False(Format(name).TryDeserialize(item.Value, item.Flags, out Order? _));
        }
    }

    [MemcachedTheory]
    [MemberData(nameof(Formats))]
    public void Bytes_that_are_no_value_are_unreadable(string name)
    {
        var writer = new ArrayBufferWriter<byte>();
        uint flags = Format(name).Serialize(new Order { Id = 7, Lines = ["tea"], Total = 1 }, writer);
        for (int length = 0; length < writer.WrittenCount - 1; length++)
        {
            Assert.False(Format(name).TryDeserialize(writer.WrittenMemory[..length], flags, out Order? _), $"{length} bytes of {name} are a value");
        }
    }

    [Fact]
    public void The_document_shows_these_formats()
    {
        string document = File.ReadAllText(RepositoryFile("docs/serialization.md"));
        string source = File.ReadAllText(RepositoryFile("test/MemcachedDistributedCache.IntegrationTests/Client/SerializerTests.cs"));
        string[] shown = [.. document.Split("```csharp\n").Skip(1).Select(static part => part.Split("```")[0].Trim()).Where(static code => code.Contains(": IMemcachedSerializer", StringComparison.Ordinal))];
        Assert.Equal(2, shown.Length);
        Assert.All(shown, code => Assert.Contains(Squeezed(code), Squeezed(source), StringComparison.Ordinal));
    }

    private static string Squeezed(string code) => string.Concat(code.Where(static letter => !char.IsWhiteSpace(letter)));

    private static string RepositoryFile(string path)
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "MemcachedDistributedCache.sln")))
        {
            folder = folder.Parent;
        }

        return Path.Combine(folder!.FullName, path);
    }

    private static IMemcachedSerializer Format(string name) => name switch
    {
        "MessagePack" => new MessagePackFormat(),
        "MemoryPack" => new MemoryPackFormat(),
        _ => new MemcachedJsonSerializer(OrderJson.Default.Options),
    };

    [MessagePackObject]
    [MemoryPackable]
    public sealed partial class Order
    {
        [Key(0)]
        public int Id { get; set; }

        [Key(1)]
        public List<string> Lines { get; set; } = [];

        [Key(2)]
        public decimal Total { get; set; }
    }

    [JsonSerializable(typeof(Order))]
    private sealed partial class OrderJson : JsonSerializerContext;

    private sealed class MessagePackFormat : IMemcachedSerializer
    {
        private const uint Flags = 0x4D50_0000;

        public uint Serialize<T>(T value, IBufferWriter<byte> destination)
        {
            MessagePackSerializer.Serialize(destination, value, MessagePackSerializerOptions.Standard.WithSecurity(MessagePackSecurity.UntrustedData));
            return Flags;
        }

        public bool TryDeserialize<T>(ReadOnlyMemory<byte> source, uint flags, [MaybeNullWhen(false)] out T value)
        {
            value = default;
            try
            {
                value = flags == Flags ? MessagePackSerializer.Deserialize<T>(source, MessagePackSerializerOptions.Standard.WithSecurity(MessagePackSecurity.UntrustedData)) : default;
                return flags == Flags;
            }
            catch (MessagePackSerializationException)
            {
                return false;
            }
        }
    }

    private sealed class MemoryPackFormat : IMemcachedSerializer
    {
        private const uint Flags = 0x4D4D_0000;

        public uint Serialize<T>(T value, IBufferWriter<byte> destination)
        {
            MemoryPackSerializer.Serialize(destination, value);
            return Flags;
        }

        public bool TryDeserialize<T>(ReadOnlyMemory<byte> source, uint flags, [MaybeNullWhen(false)] out T value)
        {
            value = default;
            try
            {
                value = flags == Flags ? MemoryPackSerializer.Deserialize<T>(source.Span) : default;
                return flags == Flags;
            }
            catch (MemoryPackSerializationException)
            {
                return false;
            }
        }
    }
}
