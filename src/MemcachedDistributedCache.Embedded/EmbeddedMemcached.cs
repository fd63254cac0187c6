using System.Net.Sockets;
using System.Net;

namespace MemcachedDistributedCache.Embedded;

/// <summary>
/// memcached servers inside this process, for development and tests: real sockets, memcached's text and meta protocols,
/// nothing to install. Not for production: there is no persistence, no SASL and no UDP.
/// </summary>
public sealed class EmbeddedMemcached : IAsyncDisposable, IDisposable
{
    private EmbeddedMemcached(EmbeddedMemcachedNode[] nodes)
    {
        Nodes = nodes;
        Servers = [.. nodes.Select(node => node.Server)];
        ConnectionString = string.Join(',', Servers);
    }

    /// <summary>The servers, in the order of their ports where a port was given.</summary>
    public IReadOnlyList<EmbeddedMemcachedNode> Nodes { get; }

    /// <summary>The servers as <c>address:port</c>.</summary>
    public IReadOnlyList<string> Servers { get; }

    /// <summary>The servers joined by commas, as a cache's configuration takes them.</summary>
    public string ConnectionString { get; }

    /// <summary>Starts servers; they accept connections when this returns.</summary>
    /// <param name="nodes">How many; 1, the default, leaves it to <see cref="EmbeddedMemcachedOptions.Nodes"/>.</param>
    /// <param name="options">Further settings; null takes the defaults. They are copied: later changes have no effect.</param>
    /// <param name="ct">Given up before the start.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names it and the remedy.</exception>
    /// <exception cref="SocketException">A port asked for is taken.</exception>
    public static Task<EmbeddedMemcached> StartAsync(int nodes = 1, EmbeddedMemcachedOptions? options = null, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        EmbeddedMemcachedOptions copy = (options ?? new EmbeddedMemcachedOptions()).Copy();
        copy.Nodes = nodes == 1 ? copy.Nodes : nodes;
        return Task.FromResult(Start(copy));
    }

    /// <summary>Starts servers without awaiting anything, as a container's factory needs it.</summary>
    /// <param name="options">How many and with which limits. They are copied: later changes have no effect.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is out of range; the message names it and the remedy.</exception>
    /// <exception cref="SocketException">A port asked for is taken.</exception>
    public static EmbeddedMemcached Start(EmbeddedMemcachedOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        EmbeddedMemcachedOptions copy = options.Copy();
        copy.Validate();
        var nodes = new List<EmbeddedMemcachedNode>(copy.Nodes);
        try
        {
            for (int i = 0; i < copy.Nodes; i++)
            {
                nodes.Add(new EmbeddedMemcachedNode(copy, new IPEndPoint(copy.Address, copy.Port == 0 ? 0 : copy.Port + i)));
            }
        }
        catch
        {
            nodes.ForEach(node => node.Dispose());
            throw;
        }

        return new EmbeddedMemcached([.. nodes]);
    }

    /// <summary>Closes all ports and connections.</summary>
    public void Dispose()
    {
        foreach (EmbeddedMemcachedNode node in Nodes)
        {
            node.Dispose();
        }
    }

    /// <summary>Closes all ports and connections, and waits until nothing of them runs any more.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (EmbeddedMemcachedNode node in Nodes)
        {
            await node.DisposeAsync().ConfigureAwait(false);
        }
    }
}
