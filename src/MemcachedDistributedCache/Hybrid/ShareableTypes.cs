using System.ComponentModel;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// All callers may have the same object. They may where it holds no reference, or is a string, or is of a sealed class or a
/// struct that says of itself that it cannot be changed (<c>[ImmutableObject(true)]</c>). An interface or a class that can be
/// derived from promises nothing.
/// </summary>
internal static class ShareableTypes<T>
{
    /// <summary>The answer for this type.</summary>
    public static readonly bool IsShareable =
        !RuntimeHelpers.IsReferenceOrContainsReferences<T>() || typeof(T) == typeof(string) || SaysSo(typeof(T));

    private static bool SaysSo(Type type)
    {
        Type own = Nullable.GetUnderlyingType(type) ?? type;
        return (own.IsValueType || (own.IsClass && own.IsSealed)) && own.GetCustomAttribute<ImmutableObjectAttribute>() is { Immutable: true };
    }
}
