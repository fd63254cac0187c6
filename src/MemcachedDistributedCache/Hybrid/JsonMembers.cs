using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization.Metadata;
using System.Text.Json;
using System.Text;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Names members by the metadata of JSON, so that neither a key of a dictionary nor any value is told.</summary>
internal static class JsonMembers
{
    /// <summary>Metadata of a type, if there is any.</summary>
    public static bool TryDescribe(Type type, JsonSerializerOptions options, [NotNullWhen(true)] out JsonTypeInfo? info)
    {
        try
        {
            return options.TryGetTypeInfo(type, out info);
        }
        catch (Exception exception) when (exception is NotSupportedException or InvalidOperationException or ArgumentException)
        {
            info = null;
            return false;
        }
    }

    /// <summary>
    /// The members of a path as the serializer's exceptions give it: <c>$.Lines[3].Price</c> of an order becomes
    /// <c>Order.Lines[*].Price</c>. It ends where a step is not known.
    /// </summary>
    public static string Of(JsonTypeInfo root, ReadOnlySpan<char> path)
    {
        var members = new StringBuilder(root.Type.Name);
        int end = path.IndexOf(" | ", StringComparison.Ordinal);
        path = end < 0 ? path : path[..end];
        path = path.StartsWith("$") ? path[1..] : default;
        JsonTypeInfo? info = root;
        while (!path.IsEmpty && info is not null && TryStep(ref path, out ReadOnlySpan<char> step))
        {
            Type? next = null;
            if (info.Kind == JsonTypeInfoKind.Object)
            {
                foreach (JsonPropertyInfo property in info.Properties)
                {
                    if (step.SequenceEqual(property.Name))
                    {
                        members.Append('.').Append(property.Name);
                        next = property.PropertyType;
                        break;
                    }
                }
            }
            else if (info.ElementType is not null)
            {
                members.Append("[*]");
                next = info.ElementType;
            }

            info = next is not null && TryDescribe(Nullable.GetUnderlyingType(next) ?? next, root.Options, out JsonTypeInfo? found) ? found : null;
        }

        return members.ToString();
    }

    private static bool TryStep(ref ReadOnlySpan<char> path, out ReadOnlySpan<char> step)
    {
        (int start, int end, int behind) = path switch
        {
            ['[', '\'', ..] => (2, path.IndexOf("']", StringComparison.Ordinal), 2),
            ['[', ..] => (1, path.IndexOf(']'), 1),
            ['.', ..] => (1, path[1..].IndexOfAny('.', '[') is >= 0 and int at ? at + 1 : path.Length, 0),
            _ => (0, -1, 0),
        };
        if (end < start)
        {
            step = default;
            return false;
        }

        step = path[start..end];
        path = path[(end + behind)..];
        return true;
    }
}
