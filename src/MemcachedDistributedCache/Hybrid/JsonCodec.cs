using MemcachedDistributedCache.Client;
using System.Text.Json.Serialization.Metadata;
using System.Text.Json;
using MemcachedDistributedCache.Layout;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// JSON by the metadata of the options, source-generated or found by reflection. Fields are written where the application says
/// nothing else, as value tuples have nothing but fields; a field that JSON cannot write is left out as soon as a value has one,
/// instead of the value.
/// </summary>
internal sealed class JsonCodec<T>(JsonTypeInfo<T> type, SerializationProof<T> proof, bool mayLeaveOutFields) : ValueCodec<T>
{
    private readonly JsonReaderOptions _reading = ReaderOptionsOf(type.Options);
    private readonly JsonTypeInfo<T> _whole = type;
    private JsonTypeInfo<T> _type = type;

    /// <inheritdoc/>
    public override SerializationProof<T> Proof => proof;

    /// <inheritdoc/>
    public override PayloadKind Write(T value, PooledWriter writer)
    {
        int start = writer.Length;
        JsonTypeInfo<T> current = Volatile.Read(ref _type);
        try
        {
            Write(value, writer, current);
        }
        catch (NotSupportedException exception) when (mayLeaveOutFields && !writer.IsOverLimit && ReferenceEquals(current, _whole))
        {
            if (JsonFields.LeaveOutUnwritable<T>(current.Options, out IReadOnlyList<string> fields) is not { } reduced)
            {
                throw;
            }

            if (ReferenceEquals(Interlocked.CompareExchange(ref _type, reduced, current), current))
            {
                proof.NoteLeftOut(fields, exception);
            }

            writer.Truncate(start);
            Write(value, writer, reduced);
        }

        return PayloadKind.Serialized;
    }

    /// <inheritdoc/>
    public override T Read(PayloadKind kind, ReadOnlyMemory<byte> payload)
    {
        if (kind != PayloadKind.Serialized)
        {
            throw Unexpected(kind);
        }

        var reader = new Utf8JsonReader(payload.Span, _reading);
        T value = JsonSerializer.Deserialize(ref reader, Volatile.Read(ref _type))!;
        return reader.Read() ? throw new JsonException("More follows the value.") : value;
    }

    private static void Write(T value, PooledWriter target, JsonTypeInfo<T> type)
    {
        JsonSerializerOptions options = type.Options;
        using var writer = new Utf8JsonWriter(target, new JsonWriterOptions
        {
            SkipValidation = true,
            Encoder = options.Encoder,
            Indented = options.WriteIndented,
            MaxDepth = options.MaxDepth,
        });
        JsonSerializer.Serialize(writer, value, type);
    }

    private static JsonReaderOptions ReaderOptionsOf(JsonSerializerOptions options) => new()
    {
        AllowTrailingCommas = options.AllowTrailingCommas,
        CommentHandling = options.ReadCommentHandling,
        MaxDepth = options.MaxDepth,
    };
}
