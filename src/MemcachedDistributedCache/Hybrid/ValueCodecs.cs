using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization.Metadata;
using System.Text.Json;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Finds how values of a type are kept: by a serializer of just this type in the container, as they are if they are text or bytes,
/// by the last factory in the container that takes the type, or as JSON.
/// </summary>
internal sealed class ValueCodecs(IServiceProvider? services, bool verifies, ILogger logger)
{
    private readonly ConcurrentDictionary<Type, object> _codecs = new();
    private readonly IHybridCacheSerializerFactory[] _factories = [.. (services?.GetServices<IHybridCacheSerializerFactory>() ?? []).Reverse()];

    /// <summary>The codec of a type.</summary>
    /// <exception cref="InvalidOperationException">
    /// There is none: the application is published without reflection, and no source-generated metadata covers the type.
    /// </exception>
    public ValueCodec<T> Of<T>() => (ValueCodec<T>)_codecs.GetOrAdd(typeof(T), static (_, self) => self.Create<T>(), this);

    private object Create<T>()
    {
        if (services?.GetService<IHybridCacheSerializer<T>>() is { } own)
        {
            return new SerializerCodec<T>(own, NewProof<T>());
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
                return new SerializerCodec<T>(made, NewProof<T>());
            }
        }

        JsonSerializerOptions? given = JsonOptionsOf<T>();
        JsonTypeInfo<T> type = given is null ? DescribeByDefault<T>() : Describe<T>(JsonFields.WithTuples(WithResolver(given), typeof(T)));
        return new JsonCodec<T>(type, NewProof<T>(type), mayLeaveOutFields: given is null);
    }

    /// <summary>
    /// Options for JSON are looked for where Microsoft's implementation looks: under the serializer's type as the key, of this type
    /// or of any.
    /// </summary>
    private JsonSerializerOptions? JsonOptionsOf<T>()
    {
        var keyed = services as IKeyedServiceProvider;
        return keyed?.GetKeyedService<JsonSerializerOptions>(typeof(IHybridCacheSerializer<T>))
            ?? keyed?.GetKeyedService<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>));
    }

    /// <summary>A proof; what another serializer than JSON gives back is compared all the same, by what JSON knows of the type.</summary>
    private SerializationProof<T> NewProof<T>(JsonTypeInfo<T>? type = null)
    {
        JsonSerializerOptions? options = type?.Options ?? (JsonSerializer.IsReflectionEnabledByDefault ? WithResolver(JsonDefaults.Options) : null);
        return new SerializationProof<T>(
            logger,
            verifies && options is not null ? (value, copy) => ValueComparison.Between(value, copy, options) : null,
            type is null ? null : path => JsonMembers.Of(type, path));
    }

    private static JsonTypeInfo<T> DescribeByDefault<T>()
    {
        try
        {
            return Describe<T>(WithResolver(JsonDefaults.Options));
        }
        catch (InvalidOperationException) when (JsonSerializer.IsReflectionEnabledByDefault)
        {
            // There may be a field that JSON cannot even describe, such as a pointer.
            return Describe<T>(WithResolver(JsonDefaults.WithoutFields));
        }
    }

    private static JsonTypeInfo<T> Describe<T>(JsonSerializerOptions options)
    {
        try
        {
            return (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T));
        }
        catch (NotSupportedException exception)
        {
            throw Unknown<T>(
                exception,
                $"or JsonSerializerOptions with source-generated metadata of the type: services.AddKeyedSingleton<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>), new JsonSerializerOptions {{ TypeInfoResolver = YourContext.Default }})");
        }
        catch (Exception exception) when (exception is InvalidOperationException or ArgumentException)
        {
            throw Unknown<T>(exception, options.TypeInfoResolver is null
                ? $"or JsonSerializerOptions with source-generated metadata of the type: services.AddKeyedSingleton<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>), new JsonSerializerOptions {{ TypeInfoResolver = YourContext.Default }})"
                : "or change the member, or mark it [JsonIgnore]");
        }
    }

    private static InvalidOperationException Unknown<T>(Exception exception, string remedy)
        => new($"No serializer is known for {typeof(T)}: {exception.GetType().Name}: {exception.Message} Register an IHybridCacheSerializer<{typeof(T).Name}>, {remedy}.", exception);

    [UnconditionalSuppressMessage(
        "Trimming",
        "IL2026",
        Justification = "Reached only where reflection is switched on; elsewhere the application gives metadata, and is told so.")]
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

        public static JsonSerializerOptions WithoutFields { get; } = new();
    }
}
