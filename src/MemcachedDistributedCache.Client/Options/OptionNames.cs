using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// The options of one class by their names, for messages that speak of them. Who makes this names the class by
/// <see langword="typeof"/>, so that a trimmed application keeps its properties.
/// </summary>
internal sealed class OptionNames(PropertyInfo[] options, params OptionSection[] sections)
{
    /// <summary>The options of a client.</summary>
    public static readonly OptionNames Client = new(
        typeof(MemcachedClientOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance),
        OptionSection.Tls);

    /// <summary>
    /// The values of all options that are read at the start only, by name: all but
    /// <see cref="MemcachedClientOptions.Servers"/>.
    /// </summary>
    public Dictionary<string, object?> FixedValues(MemcachedClientOptions values)
    {
        var named = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (PropertyInfo property in options.Where(static property => property.Name != nameof(values.Servers)))
        {
            named.Add(property.Name, property.GetValue(values));
        }

        // Also where it stands among the servers.
        named[nameof(values.Discovery)] = DiscoveryEndpoint.Of(values)?.Address.ToString();

        foreach (OptionSection section in sections)
        {
            named.Remove(section.Name, out object? members);
            foreach (PropertyInfo property in members is null ? [] : section.Options)
            {
                named.Add(section.Prefix + property.Name, property.GetValue(members));
            }
        }

        return named;
    }

    /// <summary>Throws for a name in the section that is no option, and says which was meant.</summary>
    public void ThrowIfUnknown(IConfiguration section)
    {
        ThrowIfUnknown(section, options, sections, "");
        foreach (OptionSection within in sections)
        {
            ThrowIfUnknown(section.GetSection(within.Name), within.Options, [], within.Prefix);
        }
    }

    private static void ThrowIfUnknown(IConfiguration section, PropertyInfo[] known, OptionSection[] below, string prefix)
    {
        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (IsOneOf(known, child.Key))
            {
                continue;
            }

            string nearest = known.Select(static property => property.Name).MinBy(name => Distance(name, child.Key))!;
            string meant =
                below.FirstOrDefault(within => IsOneOf(within.Options, child.Key)) is { } right
                    ? $"it is one of {right.Purpose}, and stands under '{right.Name}'"
                : Distance(nearest, child.Key) <= Math.Max(2, child.Key.Length / 3) ? $"did you mean '{nearest}'?"
                : "take it out, or write it as docs/options.md has it.";
            throw new InvalidOperationException(
                $"The configuration has '{child.Path}', and there is no memcached option '{prefix}{child.Key}'; {meant}");
        }
    }

    private static bool IsOneOf(PropertyInfo[] known, string name)
        => known.Any(property => property.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

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
