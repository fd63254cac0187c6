using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.ServiceDiscovery;

namespace MemcachedDistributedCache.Aspire;

/// <summary>
/// The endpoints of a service, as servers of memcached. An endpoint without a port has memcached's own. What an endpoint
/// is called decides which server has which key, so a name stays a name, and an address an address.
/// </summary>
internal sealed class ServiceEndpoints(ServiceEndpointResolver resolver, string serviceName) : IMemcachedServerSource
{
    private const int DefaultPort = 11211;

    private IDisposable? _watch;
    private bool _isKnown;

    /// <inheritdoc/>
    public string Name { get; } = $"service '{serviceName}'";

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<string>> GetServersAsync(Action changed, CancellationToken cancellationToken)
    {
        ServiceEndpointSource source = await resolver.GetEndpointsAsync(serviceName, cancellationToken).ConfigureAwait(false);
        _watch?.Dispose();
        _watch = source.ChangeToken.RegisterChangeCallback(static state => ((Action)state!)(), changed);
        bool isPassedThrough = source.Endpoints is [{ EndPoint: DnsEndPoint host }] && IsServiceItself(host);
        if (isPassedThrough && _isKnown)
        {
            throw new InvalidOperationException("it has no endpoints any more");
        }

        _isKnown = !isPassedThrough && source.Endpoints.Count != 0;
        return [.. source.Endpoints.Select(static endpoint => ServerOf(endpoint.EndPoint))];
    }

    /// <summary>
    /// The provider that comes last takes a service that the others do not know for a host of that name. That is what is
    /// meant where nobody ever knew the service, and nothing of the kind where its endpoints have vanished.
    /// </summary>
    private bool IsServiceItself(DnsEndPoint host)
        => ServiceEndpointQuery.TryParse(serviceName, out ServiceEndpointQuery? query)
            && string.Equals(host.Port == 0 ? host.Host : $"{host.Host}:{host.Port}", query.ServiceName, StringComparison.OrdinalIgnoreCase);

    private static string ServerOf(EndPoint endpoint)
        => endpoint switch
        {
            IPEndPoint { Address: var address, Port: var port } => ServerOf(address.ToString(), port),
            DnsEndPoint { Host: var host, Port: var port } => ServerOf(host, port),
            UnixDomainSocketEndPoint socket => $"unix:{socket}",
            UriEndPoint { Uri: { Scheme: "unix" } uri } => $"unix:{uri.AbsolutePath}",
            UriEndPoint { Uri: var uri } => ServerOf(uri.IdnHost, Math.Max(0, uri.Port)),
            _ => throw new NotSupportedException($"its endpoint '{endpoint}' is a {endpoint.GetType().Name}, and no server of memcached is named so"),
        };

    private static string ServerOf(string host, int port)
    {
        string bracketed = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
        return $"{bracketed}:{(port == 0 ? DefaultPort : port)}";
    }
}
