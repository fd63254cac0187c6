namespace MemcachedDistributedCache.Hybrid;

/// <summary>The remedies of an application for a type that its serializer does not carry.</summary>
internal static class Remedies
{
    public static string Unreadable(Type type)
        => "Give the type a public constructor, or one marked [JsonConstructor], whose parameters are named like its properties; for an abstract type or an interface name its implementations with "
            + $"[JsonDerivedType]; cache List<T>, HashSet<T> or Dictionary<TKey, TValue> in place of a collection that can only be read; or register an {Serializer(type)}.";

    public static string Unwritable(Type type)
        => $"Mark the member that cannot be written [JsonIgnore], or give it a type that JSON has; or register an {Serializer(type)}.";

    public static string Field(Type type)
        => $"Mark the field [JsonIgnore] if it is meant to be left out; or register an {Serializer(type)}.";

    public static string Member(Type type)
        => $"Give the member a public setter or init, mark it [JsonInclude], or let a constructor marked [JsonConstructor] take it, as a record does; or register an {Serializer(type)}.";

    public static string Untyped(Type type) => $"Declare the type that it has in place of object; or register an {Serializer(type)}.";

    public static string Derived(Type type, Type declared, Type actual)
        => $"Name {actual.Name} in a [JsonDerivedType] of {declared.Name}, or declare {actual.Name} itself; or register an {Serializer(type)}.";

    public static string NotWritten(Type type)
        => $"Mark it [JsonInclude], make it a public property, or mark it [JsonIgnore] if it is meant to be left out; or register an {Serializer(type)}.";

    public static string Collection(Type type)
        => $"Cache a type that has the collection as a property; or register an {Serializer(type)}.";

    public static string Order(Type type) => $"Use a List<T> or Queue<T>; or register an {Serializer(type)}.";

    public static string Comparer(Type type)
        => $"Make the collection anew with its comparer in a setter or constructor; or register an {Serializer(type)}.";

    public static string Other(Type type)
        => $"Change the member or its converter so that it reads what it wrote; or register an {Serializer(type)}.";

    private static string Serializer(Type type) => $"IHybridCacheSerializer<{type.Name}>";
}
