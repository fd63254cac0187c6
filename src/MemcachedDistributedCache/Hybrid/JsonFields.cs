using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.Json;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Decides which public fields JSON carries. Value tuples are kept whole whatever the options say, as with Microsoft's
/// implementation; and a field that can never be written, such as a delegate's, does not keep the rest of its type from being
/// cached.
/// </summary>
internal static class JsonFields
{
    /// <summary>How many types are looked at for one; beyond that nothing is decided.</summary>
    private const int MaximumTypes = 1000;

    /// <summary>
    /// The options for a type: the same, or with the fields of value tuples where the type has any and the options leave fields
    /// out.
    /// </summary>
    public static JsonSerializerOptions WithTuples(JsonSerializerOptions options, Type type)
    {
        if (options.IncludeFields || options.TypeInfoResolver is not { } resolver || !Reach(type, options, static _ => true).Any(IsValueTuple))
        {
            return options;
        }

        return new JsonSerializerOptions(options)
        {
            IncludeFields = true,
            TypeInfoResolver = resolver.WithAddedModifier(static info =>
            {
                if (info.Kind == JsonTypeInfoKind.Object && !IsValueTuple(info.Type))
                {
                    Hide(info, static property => !IsMarked(property));
                }
            }),
        };
    }

    /// <summary>Metadata of a type without the public fields that JSON cannot write; null if there are none.</summary>
    public static JsonTypeInfo<T>? LeaveOutUnwritable<T>(JsonSerializerOptions options, out IReadOnlyList<string> fields)
    {
        var found = new Dictionary<(Type Type, string Name), string>();
        foreach (Type type in Reach(typeof(T), options, property => !IsUnwritableField(property, options)))
        {
            foreach (JsonPropertyInfo property in PropertiesOf(type, options))
            {
                if (IsUnwritableField(property, options))
                {
                    found[(type, property.Name)] = $"{type.Name}.{property.Name}";
                }
            }
        }

        fields = [.. found.Values];
        if (found.Count == 0 || options.TypeInfoResolver is not { } resolver)
        {
            return null;
        }

        var reduced = new JsonSerializerOptions(options)
        {
            TypeInfoResolver = resolver.WithAddedModifier(info =>
            {
                if (info.Kind == JsonTypeInfoKind.Object)
                {
                    Hide(info, property => found.ContainsKey((info.Type, property.Name)));
                }
            }),
        };
        return (JsonTypeInfo<T>)reduced.GetTypeInfo(typeof(T));
    }

    private static bool IsValueTuple(Type type) => type.IsValueType && typeof(ITuple).IsAssignableFrom(type);

    private static bool IsField(JsonPropertyInfo property) => property.AttributeProvider is FieldInfo;

    private static bool IsMarked(JsonPropertyInfo property)
        => property.AttributeProvider!.IsDefined(typeof(System.Text.Json.Serialization.JsonIncludeAttribute), inherit: false);

    /// <summary>Not written any more, and still known to those who read: an older process may have written its null.</summary>
    private static void Hide(JsonTypeInfo info, Func<JsonPropertyInfo, bool> isHidden)
    {
        foreach (JsonPropertyInfo property in info.Properties)
        {
            if (IsField(property) && isHidden(property))
            {
                property.Get = null;
            }
        }
    }

    /// <summary>A tuple's items are the value itself, so that none of them is left out.</summary>
    private static bool IsUnwritableField(JsonPropertyInfo property, JsonSerializerOptions options)
        => IsField(property) && property is { Get: not null, CustomConverter: null } && !IsValueTuple(property.DeclaringType) && !IsMarked(property)
            && Reach(property.PropertyType, options, static _ => true).Any(type => IsUnwritable(type, options));

    private static bool IsUnwritable(Type type, JsonSerializerOptions options)
    {
        if (typeof(Delegate).IsAssignableFrom(type) || typeof(MemberInfo).IsAssignableFrom(type) || type == typeof(IntPtr) || type == typeof(UIntPtr)
            || type == typeof(SerializationInfo) || (type.IsArray && type.GetArrayRank() > 1))
        {
            return true;
        }

        return !JsonMembers.TryDescribe(type, options, out JsonTypeInfo? info)
            || (
                info is { Kind: JsonTypeInfoKind.Dictionary, KeyType: { } key }
                && (!JsonMembers.TryDescribe(key, options, out JsonTypeInfo? keyInfo) || keyInfo.Kind != JsonTypeInfoKind.None));
    }

    private static IEnumerable<JsonPropertyInfo> PropertiesOf(Type type, JsonSerializerOptions options)
        => JsonMembers.TryDescribe(type, options, out JsonTypeInfo? info) && info.Kind == JsonTypeInfoKind.Object ? info.Properties : [];

    /// <summary>All types that a value of one may hold, by its metadata.</summary>
    private static IEnumerable<Type> Reach(Type root, JsonSerializerOptions options, Func<JsonPropertyInfo, bool> isFollowed)
    {
        var seen = new HashSet<Type> { root };
        var waiting = new Queue<Type>(seen);
        while (waiting.TryDequeue(out Type? type) && seen.Count < MaximumTypes)
        {
            yield return type;
            if (!JsonMembers.TryDescribe(type, options, out JsonTypeInfo? info))
            {
                continue;
            }

            IEnumerable<Type?> next =
                info.Kind == JsonTypeInfoKind.Object
                    ? info
                        .Properties.Where(property => property is { Get: not null, CustomConverter: null } && isFollowed(property))
                        .Select(static property => (Type?)property.PropertyType)
                    : (Type?[])[info.ElementType, info.KeyType];
            foreach (Type? held in next)
            {
                if (held is not null && seen.Add(Nullable.GetUnderlyingType(held) ?? held))
                {
                    waiting.Enqueue(Nullable.GetUnderlyingType(held) ?? held);
                }
            }
        }
    }
}
