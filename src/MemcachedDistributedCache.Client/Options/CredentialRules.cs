using System.Net;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Options;

/// <summary>The rules between the options of authentication. No message has the password.</summary>
internal static class CredentialRules
{
    /// <summary>The first broken rule with its remedy, or null. A file is read: a wrong path is to end the start.</summary>
    /// <param name="options">The options.</param>
    /// <param name="readFiles">False leaves the file alone; see <see cref="UsableFiles"/>.</param>
    public static string? Error(MemcachedClientOptions options, bool readFiles)
        => (options.UserName, options.Password, options.PasswordFile) switch
        {
            (null, null, null) => null,
            (null, _, _) => "Password or PasswordFile is set without UserName; set UserName to the user of the password, or take them out.",
            (_, null, null) => "UserName is set without a password; set Password or PasswordFile.",
            (_, not null, not null) => "Password and PasswordFile are both set; set one of them.",
            ({ } name, _, _) when name.Any(static letter => char.IsWhiteSpace(letter) || char.IsControl(letter) || letter == ':') =>
                "UserName has a space, a control character or a colon, which memcached -Y does not take; name another user.",
            _ when options.Topology == MemcachedTopology.Shared =>
                "UserName is set with Topology = Shared; a proxy passes the password on to whichever server it likes, which may store it as a value. "
                + "Take UserName out, or name the servers themselves.",
            (_, null, _) when !readFiles => null,
            _ => new Credentials(options.UserName!, options.Password, options.PasswordFile).TryGetPassword(out _, out string? error) ? null : $"{error!.TrimEnd('.')}. Correct it.",
        };

    /// <summary>The user and the password; null where there are none.</summary>
    /// <param name="options">The options.</param>
    /// <param name="refused">Told of a file that cannot be used any more.</param>
    public static Credentials? Of(MemcachedClientOptions options, Action<string>? refused = null)
    {
        if (options.UserName is not { } name)
        {
            return null;
        }

        var credentials = new Credentials(name, options.Password, options.PasswordFile) { Refused = refused };

        // From now on the file may be away for a moment.
        credentials.TryGetPassword(out _, out _);
        return credentials;
    }

    /// <summary>The servers to which a password would cross a network that others may read. A name may lead anywhere, except that of this machine.</summary>
    public static string[] ReadableAt(MemcachedClientOptions options)
        => options.UserName is null || options.Tls.Enabled
            ? []
            : options.ServerSource is { } source ? [source.Name]
            : DiscoveryEndpoint.Of(options) is { } endpoint ? [endpoint.Address.ToString()] // the servers that it tells may be anywhere
            : [.. options.Servers.Where(static server => !IsThisMachine(server))];

    private static bool IsThisMachine(string text)
        => !ServerSpec.TryParse(text, out ServerSpec? server, out _)
            || server.Address.IsUnixSocket
            || string.Equals(server.Address.Host, "localhost", StringComparison.Ordinal)
            || (IPAddress.TryParse(server.Address.Host, out IPAddress? address) && IPAddress.IsLoopback(address));
}
