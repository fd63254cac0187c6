using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Options;

/// <summary>The messages about the options and their changes. No key and no value is logged, at any level.</summary>
internal static partial class OptionsLog
{
    [LoggerMessage(
        EventIds.ChangeRefused,
        LogLevel.Error,
        "The configuration has changed to what cannot be used, so the memcached servers stay as they were: {Reason}")]
    public static partial void ChangeRefused(ILogger logger, string reason);

    [LoggerMessage(EventIds.OfferedServersNotUsed, LogLevel.Warning, "The memcached servers are {Servers}, because the options name them; the embedded nodes {Offered} of the same container are not used. Take the servers out of the configuration, or the embedded nodes out of the registrations")]
    public static partial void OfferedServersNotUsed(ILogger logger, string servers, string offered);

    [LoggerMessage(EventIds.ChangeIgnored, LogLevel.Warning, "The configuration has changed {Options}. They are read at start only, so the change is ignored until the application is started again; of the memcached options only Servers is followed")]
    public static partial void ChangeIgnored(ILogger logger, string options);

    [LoggerMessage(EventIds.CertificatesNotReplaced, LogLevel.Warning, "A file of certificates is missing or has changed to what cannot be used, so new connections to memcached have the certificates from before: {Reason}")]
    public static partial void CertificatesNotReplaced(ILogger logger, string reason);

    [LoggerMessage(EventIds.PasswordNotReplaced, LogLevel.Warning, "The file of the password cannot be used now, so new connections to memcached have the password from before: {Reason}")]
    public static partial void PasswordNotReplaced(ILogger logger, string reason);

    /// <summary>Warns where there are such servers.</summary>
    public static void WarnIfPasswordIsReadable(ILogger logger, string[] servers)
    {
        if (servers.Length != 0)
        {
            PasswordReadable(logger, string.Join(", ", servers));
        }
    }

    [LoggerMessage(EventIds.PasswordReadable, LogLevel.Warning, "The password crosses the network to memcached {Servers} unencrypted, and whoever reads along can use it. Set Tls:Enabled to true and start the servers with -Z")]
    private static partial void PasswordReadable(ILogger logger, string servers);
}
