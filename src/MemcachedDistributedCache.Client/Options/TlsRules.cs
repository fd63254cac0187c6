using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Options;

/// <summary>The rules between the options of encrypted connections, and the settings that follow from them.</summary>
internal static class TlsRules
{
    /// <summary>Each broken rule with its remedy. Files are read: a wrong path is to end the start, not to be a server that is down.</summary>
    /// <param name="tls">The options.</param>
    /// <param name="readFiles">False leaves the files alone; see <see cref="UsableFiles"/>.</param>
    public static IEnumerable<string> Errors(MemcachedTlsOptions? tls, bool readFiles)
    {
        if (tls is null)
        {
            yield return "Tls is null; leave it as it is and set its members.";
            yield break;
        }

        string[] set =
        [
            .. new[]
            {
                (nameof(tls.ServerName), tls.ServerName),
                (nameof(tls.CaFile), tls.CaFile),
                (nameof(tls.CertificateFile), tls.CertificateFile),
                (nameof(tls.KeyFile), tls.KeyFile),
                (nameof(tls.KeyPassword), tls.KeyPassword),
            }.Where(static option => option.Item2 is not null).Select(static option => "Tls:" + option.Item1),
        ];
        if (!tls.Enabled)
        {
            if (set.Length != 0 || tls.Authentication is not null)
            {
                yield return $"Tls:Enabled is false, and {(set.Length == 0 ? "Tls.ConfigureAuthentication was called" : string.Join(", ", set) + " set")}; connections would not be encrypted. Set Tls:Enabled to true, or take the others out.";
            }

            yield break;
        }

        if (tls.CertificateFile is null && (tls.KeyFile ?? tls.KeyPassword) is not null)
        {
            yield return "Tls:KeyFile or Tls:KeyPassword is set without Tls:CertificateFile; name the file with the certificate that the key belongs to.";
            yield break;
        }

        if (!readFiles)
        {
            yield break;
        }

        string? unusable = null;
        try
        {
            CertificatesOf(tls).Read();
        }
        catch (TlsException exception)
        {
            unusable = exception.Message;
        }

        if (unusable is not null)
        {
            yield return $"{unusable.TrimEnd('.')}. Correct the path or the file.";
        }
    }

    /// <summary>The settings of encryption; null where there is none.</summary>
    public static TlsSettings? SettingsOf(MemcachedTlsOptions tls, Action<string>? refused)
    {
        if (!tls.Enabled)
        {
            return null;
        }

        TlsCertificates certificates = CertificatesOf(tls);
        certificates.Refused = refused;
        try
        {
            certificates.Read();
        }
        catch (TlsException)
        {
            // The rules have read the files a moment ago, and each connection reads them anew.
        }

        return new TlsSettings
        {
            Certificates = certificates,
            ServerName = tls.ServerName,
            Protocols = tls.Protocols,
            RevocationMode = tls.RevocationMode,
            Configure = tls.Authentication,
        };
    }

    private static TlsCertificates CertificatesOf(MemcachedTlsOptions tls) => new(tls.CaFile, tls.CertificateFile, tls.KeyFile, tls.KeyPassword);
}
