using System.Net;
using System.Text.RegularExpressions;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Wire;

/// <summary>An embedded server and, where there is one on this machine, a real memcached to hold it against.</summary>
public sealed class ServerPair : IAsyncLifetime
{
    private EmbeddedMemcached? _embedded;
    private MemcachedProcess? _real;

    public IPEndPoint Embedded => _embedded!.Nodes[0].EndPoint;

    public IPEndPoint Real => _real!.EndPoint;

    public async Task InitializeAsync()
    {
        _embedded = await EmbeddedMemcached.StartAsync();

        // memcached's background threads hold references to items for a moment, and an incr that meets one makes a new item
        // where it would have changed the old: hit and stale marks then depend on luck.
        _real = MemcachedBinary.SkipReason is null ? await MemcachedProcess.StartAsync("-o", "no_lru_maintainer,no_lru_crawler") : null;
    }

    public async Task DisposeAsync()
    {
        await _embedded!.DisposeAsync();
        if (_real is not null)
        {
            await _real.DisposeAsync();
        }
    }

    /// <summary>Empties the server and returns the last CAS it gave out, from which both servers count alike.</summary>
    internal static async Task<long> ResetAsync(WireClient client)
    {
        string reply = await client.AskAsync("flush_all\r\nms __base__ 0 c\r\n\r\n");
        return long.Parse(Regex.Match(reply, @" c(?<cas>\d+)", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)).Groups[1].Value);
    }
}
