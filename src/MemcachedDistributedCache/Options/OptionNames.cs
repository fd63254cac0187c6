using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// The options by their names, for messages that speak of them. The types are named here, so that a trimmed application
/// keeps their properties.
/// </summary>
internal static class OptionNames
{
    private const string HybridPrefix = nameof(MemcachedCacheOptions.Hybrid) + ":";
    private const string TlsPrefix = nameof(MemcachedCacheOptions.Tls) + ":";

    private static readonly PropertyInfo[] Cache = typeof(MemcachedCacheOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);
    private static readonly PropertyInfo[] Hybrid = typeof(MemcachedHybridCacheOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);

    private static readonly PropertyInfo[] Tls = typeof(MemcachedTlsOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);

    /// <summary>
    /// The values of all options that are read at the start only, by name: all but
    /// <see cref="MemcachedCacheOptions.Servers"/>.
    /// </summary>
    public static Dictionary<string, object?> FixedValues(MemcachedCacheOptions options)
    {
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (PropertyInfo property in Cache.Where(static property => property.Name is not (nameof(options.Servers) or nameof(options.Hybrid) or nameof(options.Tls))))
        {
            values.Add(property.Name, property.GetValue(options));
        }

        // Also where it stands among the servers.
        values[nameof(options.Discovery)] = DiscoveryEndpoint.Of(options)?.Address.ToString();

        foreach (PropertyInfo property in options.Hybrid is null ? [] : Hybrid)
        {
            values.Add(HybridPrefix + property.Name, property.GetValue(options.Hybrid));
        }

        foreach (PropertyInfo property in options.Tls is null ? [] : Tls)
        {
            values.Add(TlsPrefix + property.Name, property.GetValue(options.Tls));
        }

        return values;
    }

    /// <summary>Throws for a name in the section that is no option, and says which was meant.</summary>
    public static void ThrowIfUnknown(IConfiguration section)
    {
        ThrowIfUnknown(section, Cache, "");
        ThrowIfUnknown(section.GetSection(nameof(MemcachedCacheOptions.Hybrid)), Hybrid, HybridPrefix);
        ThrowIfUnknown(section.GetSection(nameof(MemcachedCacheOptions.Tls)), Tls, TlsPrefix);
    }

    private static void ThrowIfUnknown(IConfiguration section, PropertyInfo[] known, string prefix)
    {
        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (known.Any(property => property.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase)))
            {
                continue;
            }

            string nearest = known.Select(static property => property.Name).MinBy(name => Distance(name, child.Key))!;
            string meant =
                prefix.Length == 0 && Hybrid.Any(property => property.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase))
                    ? $"it is one of the hybrid cache, and stands under '{nameof(MemcachedCacheOptions.Hybrid)}'"
                : prefix.Length == 0 && Tls.Any(property => property.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase))
                    ? $"it is one of encrypted connections, and stands under '{nameof(MemcachedCacheOptions.Tls)}'"
                : Distance(nearest, child.Key) <= Math.Max(2, child.Key.Length / 3) ? $"did you mean '{nearest}'?"
                : "take it out, or write it as docs/options.md has it.";
            throw new InvalidOperationException(
                $"The configuration has '{child.Path}', and there is no memcached option '{prefix}{child.Key}'; {meant}");
        }
    }

    /// <summary>How many letters have to be put in, taken out or changed, case aside.</summary>
    private static int Distance(string name, string other)
    {
        int[] above = [.. Enumerable.Range(0, other.Length + 1)];
        for (int i = 1; i <= name.Length; i++)
        {
            int[] row = new int[other.Length + 1];
            row[0] = i;
            for (int j = 1; j <= other.Length; j++)
            {
                int change = char.ToUpperInvariant(name[i - 1]) == char.ToUpperInvariant(other[j - 1]) ? 0 : 1;
                row[j] = Math.Min(Math.Min(row[j - 1], above[j]) + 1, above[j - 1] + change);
            }

            above = row;
        }

        return above[^1];
    }
}
