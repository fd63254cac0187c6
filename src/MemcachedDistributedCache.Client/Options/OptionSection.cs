using System.Reflection;

namespace MemcachedDistributedCache.Options;

/// <summary>A sub-section of the options: the name of the property that holds it, its own options, and what they are for.</summary>
internal sealed record OptionSection(string Name, PropertyInfo[] Options, string Purpose)
{
    /// <summary>The options of encrypted connections.</summary>
    public static OptionSection Tls { get; } = new(
        nameof(MemcachedClientOptions.Tls),
        typeof(MemcachedTlsOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance),
        "encrypted connections");

    /// <summary>Stands before the name of each option in messages, as in configuration.</summary>
    public string Prefix => Name + ":";
}
