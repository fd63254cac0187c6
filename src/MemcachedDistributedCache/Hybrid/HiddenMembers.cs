using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json.Serialization.Metadata;
using System.Text.Json.Serialization;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>A member that JSON does not know.</summary>
internal sealed record HiddenMember(string Name, Type Type, Func<object, object?> Get);

/// <summary>
/// Finds what a value consists of beside what JSON knows. Only called where JSON works by reflection, so not in an application that
/// is compiled ahead of time; a member that trimming has taken away is not found.
/// </summary>
[UnconditionalSuppressMessage(
    "Trimming",
    "IL2070",
    Justification = "Reached only where JSON works by reflection; what trimming took away is not compared.")]
[UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "As above.")]
internal static class HiddenMembers
{
    private const BindingFlags Own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>The fields of a type that no property known to JSON stands for.</summary>
    public static IEnumerable<HiddenMember> FieldsOf(Type type, JsonTypeInfo info)
    {
        HashSet<string> known =
        [
            .. info
                .Properties.Where(static property => property.Get is not null)
                .Select(static property => (property.AttributeProvider as MemberInfo)?.Name ?? property.Name),
        ];
        for (Type? level = type; level is not null && level != typeof(object) && level != typeof(ValueType); level = level.BaseType)
        {
            foreach (FieldInfo field in level.GetFields(Own))
            {
                string? property = PropertyOf(field.Name);
                string name = property ?? field.Name;
                if (!known.Contains(name) && !IsLeftOut(level, field, property))
                {
                    yield return new HiddenMember(name, field.FieldType, field.GetValue);
                }
            }
        }
    }

    /// <summary>The public properties that a collection of the application's own has.</summary>
    public static IEnumerable<HiddenMember> PropertiesOf(Type type)
    {
        for (Type? level = type; level is not null && level.Namespace?.StartsWith("System", StringComparison.Ordinal) != true; level = level.BaseType)
        {
            foreach (PropertyInfo property in level.GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly))
            {
                if (property.CanRead && property.GetIndexParameters().Length == 0 && !property.IsDefined(typeof(JsonIgnoreAttribute)))
                {
                    yield return new HiddenMember(property.Name, property.PropertyType, property.GetValue);
                }
            }
        }
    }

    /// <summary>The property whose value a field of the compiler's holds.</summary>
    private static string? PropertyOf(string field)
        => field.StartsWith('<') && field.IndexOf('>', StringComparison.Ordinal) is > 1 and int end ? field[1..end] : null;

    /// <summary>
    /// The application has said that the member is left out, or nobody would expect it to be carried: those who listen to
    /// an event, and locks.
    /// </summary>
    private static bool IsLeftOut(Type level, FieldInfo field, string? property)
        => field.IsDefined(typeof(JsonIgnoreAttribute))
            || (property is not null && level.GetProperty(property, Own)?.IsDefined(typeof(JsonIgnoreAttribute)) == true)
            || (typeof(Delegate).IsAssignableFrom(field.FieldType) && !field.IsPublic)
            || field.FieldType.Namespace?.StartsWith("System.Threading", StringComparison.Ordinal) == true;
}
