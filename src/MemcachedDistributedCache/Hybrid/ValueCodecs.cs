using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Finds how values of a type are kept: by a serializer of just this type in the container, as they are if they are text or bytes, by the last factory
/// in the container that takes the type, or as JSON.
/// </summary>
internal sealed class ValueCodecs(IServiceProvider? services)
{
    private readonly ConcurrentDictionary<Type, object> _codecs = new();
    private readonly IHybridCacheSerializerFactory[] _factories = [.. (services?.GetServices<IHybridCacheSerializerFactory>() ?? []).Reverse()];

    /// <summary>The codec of a type.</summary>
    /// <exception cref="InvalidOperationException">There is none: the application is published without reflection, and no source-generated metadata covers the type.</exception>
    public ValueCodec<T> Of<T>() => (ValueCodec<T>)_codecs.GetOrAdd(typeof(T), static (_, self) => self.Create<T>(), this);

    private object Create<T>()
    {
        if (services?.GetService<IHybridCacheSerializer<T>>() is { } own)
        {
            return new SerializerCodec<T>(own);
        }

        if (typeof(T) == typeof(string))
        {
            return new TextCodec();
        }

        if (typeof(T) == typeof(byte[]))
        {
            return new BytesCodec();
        }

        foreach (IHybridCacheSerializerFactory factory in _factories)
        {
            if (factory.TryCreateSerializer(out IHybridCacheSerializer<T>? made))
            {
                return new SerializerCodec<T>(made);
            }
        }

        return new SerializerCodec<T>(new JsonCacheSerializer<T>(JsonOptionsOf<T>()));
    }

    /// <summary>
    /// Options for JSON are looked for where Microsoft's implementation looks: under the serializer's type as the key, of this type or of any.
    /// </summary>
    private JsonSerializerOptions JsonOptionsOf<T>()
    {
        var keyed = services as IKeyedServiceProvider;
        return WithResolver(keyed?.GetKeyedService<JsonSerializerOptions>(typeof(IHybridCacheSerializer<T>))
            ?? keyed?.GetKeyedService<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>))
            ?? JsonDefaults.Options);
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Reached only where reflection is switched on; elsewhere the application gives metadata, and is told so.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "As above.")]
    private static JsonSerializerOptions WithResolver(JsonSerializerOptions options)
    {
        if (options.TypeInfoResolver is null && JsonSerializer.IsReflectionEnabledByDefault)
        {
            options.MakeReadOnly(populateMissingResolver: true);
        }

        return options;
    }

    private static class JsonDefaults
    {
        /// <summary>Fields count too, so that value tuples are kept whole.</summary>
        public static JsonSerializerOptions Options { get; } = new() { IncludeFields = true };
    }
}

/// <summary>JSON by the metadata of the options, source-generated or found by reflection.</summary>
internal sealed class JsonCacheSerializer<T>(JsonSerializerOptions options) : IHybridCacheSerializer<T>
{
    private readonly JsonTypeInfo<T> _type = (JsonTypeInfo<T>)TypeInfo(options);

    /// <inheritdoc/>
    public T Deserialize(System.Buffers.ReadOnlySequence<byte> source)
    {
        var reader = new Utf8JsonReader(source);
        T value = JsonSerializer.Deserialize(ref reader, _type)!;
        return reader.Read() ? throw new JsonException("More follows the value.") : value;
    }

    /// <inheritdoc/>
    public void Serialize(T value, System.Buffers.IBufferWriter<byte> target)
    {
        using var writer = new Utf8JsonWriter(target, new JsonWriterOptions { SkipValidation = true, Encoder = _type.Options.Encoder, Indented = _type.Options.WriteIndented });
        JsonSerializer.Serialize(writer, value, _type);
    }

    private static JsonTypeInfo TypeInfo(JsonSerializerOptions options)
    {
        try
        {
            return options.GetTypeInfo(typeof(T));
        }
        catch (Exception exception) when (exception is NotSupportedException or InvalidOperationException)
        {
            throw new InvalidOperationException(
                $"No serializer is known for {typeof(T)}. Register an IHybridCacheSerializer<{typeof(T).Name}>, or JsonSerializerOptions with source-generated metadata of the type: services.AddKeyedSingleton<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>), new JsonSerializerOptions {{ TypeInfoResolver = YourContext.Default }}).",
                exception);
        }
    }
}
