using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Authentication;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;

namespace MemcachedDistributedCache.Options;

/// <summary>A rule whose message names the option, the value that it has, and what it may be.</summary>
internal abstract class OptionAttribute : ValidationAttribute
{
    protected sealed override ValidationResult? IsValid(object? value, ValidationContext validationContext)
        => Remedy(value) is { } remedy
            ? new ValidationResult($"{validationContext.DisplayName} is {Shown(value)}; {remedy}", [validationContext.MemberName ?? ""])
            : ValidationResult.Success;

    /// <summary>The remedy for the value, or null where the value is right.</summary>
    protected abstract string? Remedy(object? value);

    /// <summary>The value as the message has it.</summary>
    protected virtual string Shown(object? value) => value switch
    {
        null => "null",
        string text => $"'{text}'",
        IEnumerable<string> list => $"[{string.Join(", ", list)}]",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };
}

/// <summary>A time span within bounds.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class DurationAttribute(string minimum, string maximum) : OptionAttribute
{
    public string Minimum => minimum;

    public string Maximum => maximum;

    public bool AllowInfinite { get; set; }

    protected override string? Remedy(object? value)
    {
        if (value is not TimeSpan span)
        {
            return null; // not set: there is a default that depends on other options
        }

        bool inRange = span >= TimeSpan.Parse(minimum, CultureInfo.InvariantCulture) && span <= TimeSpan.Parse(maximum, CultureInfo.InvariantCulture);
        return inRange || (AllowInfinite && span == Timeout.InfiniteTimeSpan)
            ? null
            : $"set it to a time span from {minimum} to {maximum} (days.hours:minutes:seconds){(AllowInfinite ? ", or to -00:00:00.001 for no limit" : "")}.";
    }
}

/// <summary>A whole number within bounds.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class CountAttribute(int minimum, int maximum) : OptionAttribute
{
    public int Minimum => minimum;

    public int Maximum => maximum;

    protected override string? Remedy(object? value)
        => (int)value! >= minimum && (int)value <= maximum ? null : $"set it to a whole number from {minimum} to {maximum}.";
}

/// <summary>A share of a whole.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ShareAttribute(double minimum, double maximum) : OptionAttribute
{
    public double Minimum => minimum;

    public double Maximum => maximum;

    protected override string? Remedy(object? value)
        => (double)value! >= minimum && (double)value <= maximum
            ? null
            : $"set it to a number from {minimum.ToString(CultureInfo.InvariantCulture)} to {maximum.ToString(CultureInfo.InvariantCulture)}.";
}

/// <summary>A value of an enumeration.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class OneOfAttribute(Type type) : OptionAttribute
{
    public Type Type => type;

    protected override string? Remedy(object? value)
        => value is not null && Enum.IsDefined(type, value) ? null : $"set it to {string.Join(" or ", Enum.GetNames(type))}.";
}

/// <summary>A text that is not empty where it is set.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class TextAttribute : OptionAttribute
{
    protected override string? Remedy(object? value)
        => value is string text && string.IsNullOrWhiteSpace(text) ? "give it a value, or take it out." : null;
}

/// <summary>A text that is not empty where it is set, and is in no message.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SecretAttribute : OptionAttribute
{
    protected override string? Remedy(object? value)
        => value is string text && string.IsNullOrWhiteSpace(text) ? "give it a value, or take it out." : null;

    protected override string Shown(object? value) => "blank";
}

/// <summary>Versions of TLS that are safe.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class TlsProtocolsAttribute : OptionAttribute
{
    protected override string? Remedy(object? value)
        => ((SslProtocols)value! & ~(SslProtocols.Tls12 | SslProtocols.Tls13)) == SslProtocols.None
            ? null
            : "set it to Tls12, to Tls13, to both with a comma, or to None for what the operating system prefers.";
}

/// <summary>A namespace that a memcached key can begin with.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class KeyNamespaceAttribute : OptionAttribute
{
    protected override string? Remedy(object? value)
        => value is string text && KeyEncoder.IsValidNamespace(text)
            ? null
            : $"use up to {KeyEncoder.MaximumNamespaceLength} printable ASCII characters without spaces or '|', not beginning with '#', such as 'shop:'.";
}

/// <summary>A configuration endpoint.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class EndpointAttribute : OptionAttribute
{
    protected override string? Remedy(object? value)
        => value is not string { Length: > 0 } text || DiscoveryEndpoint.TryParse(text, out _, out string? error)
            ? null
            : $"name a configuration endpoint, such as 'mc.cfg.example.com:11211', or a DNS service, such as '_memcached._tcp.mc.default.svc': {error}.";
}

/// <summary>A list of servers.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ServersAttribute : OptionAttribute
{
    protected override string? Remedy(object? value)
    {
        // That there is one at all is a rule between options.
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string server in value as IList<string> ?? [])
        {
            if (!ServerSpec.TryParse(server, out ServerSpec? spec, out string? error))
            {
                return $"'{server}' is not a server: {error}.";
            }

            if (!seen.Add(spec.Address.ToString()))
            {
                return $"name each server once; '{spec.Address}' stands there twice. Use ';weight=2' for a larger share of the keys.";
            }
        }

        return null;
    }
}
