using System.Collections.Concurrent;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// The files of certificates and passwords that could be used when options were validated. The same files are not read when a reload is
/// validated: one that is missing for a moment, as while a secret is replaced, must not hold up a change of the servers. The cache reads
/// the files for each new connection, and keeps what it has read while they cannot be used. Thread-safe.
/// </summary>
internal sealed class UsableFiles
{
    private readonly ConcurrentDictionary<Files, bool> _files = new();

    /// <summary>The files of the options could be used.</summary>
    public bool Contains(string? name, MemcachedClientOptions options) => _files.ContainsKey(Of(name, options));

    /// <summary>Notes that the files of the options can be used.</summary>
    public void Add(string? name, MemcachedClientOptions options) => _files[Of(name, options)] = true;

    private static Files Of(string? name, MemcachedClientOptions options)
        => new(name, options.PasswordFile, options.Tls?.CaFile, options.Tls?.CertificateFile, options.Tls?.KeyFile);

    private sealed record Files(string? Name, string? Password, string? Authority, string? Certificate, string? Key);
}
