using System.Net.Sockets;
using System.Net;

namespace MemcachedDistributedCache.Transport;

/// <summary>Finds the addresses of a host name.</summary>
internal abstract class NameResolver
{
    /// <summary>The resolver of the operating system.</summary>
    public static NameResolver System { get; } = new SystemResolver();

    /// <summary>Finds the servers of a service.</summary>
    public virtual ServiceResolver Services => ServiceResolver.System;

    /// <summary>All addresses of a name, in the resolver's order.</summary>
    /// <exception cref="SocketException">The name is not known, or nobody can be asked.</exception>
    public abstract Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);

    /// <summary>The blocking twin of <see cref="ResolveAsync"/>, for callers that must not need the thread pool.</summary>
    public abstract IPAddress[] Resolve(string host);

    /// <summary>All addresses of a name; none where it cannot be resolved within the limit.</summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<IPAddress[]> TryResolveAsync(string host, TimeSpan limit, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(limit, timeProvider);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            return await ResolveAsync(host, both.Token).WaitAsync(both.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return [];
        }
    }

    /// <summary>The blocking twin of <see cref="TryResolveAsync"/>, without a limit of its own.</summary>
    public IPAddress[] TryResolve(string host)
    {
        try
        {
            return Resolve(host);
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            return [];
        }
    }

    /// <summary>Addresses of one family, IPv4 where there are any: a machine with both is one machine. In an order of their own.</summary>
    public static IEnumerable<IPAddress> OneFamily(IPAddress[] addresses)
    {
        bool hasIPv4 = Array.Exists(addresses, IsIPv4);
        return addresses.Where(address => !hasIPv4 || IsIPv4(address)).OrderBy(static address => address.ToString(), StringComparer.Ordinal);
    }

    /// <summary>
    /// Addresses were found of IPv6 only, where there had been IPv4: one of the two look-ups has failed, and machines
    /// would seem to be others.
    /// </summary>
    public static bool LacksIPv4(IPAddress[] found, IPAddress[]? before)
        => before is not null && Array.Exists(before, IsIPv4) && !Array.Exists(found, IsIPv4);

    /// <summary>
    /// An IPv4 address that is written as one of IPv6 (<c>::ffff:10.0.0.5</c>) as what it is; a socket of IPv6 alone
    /// cannot connect to it.
    /// </summary>
    public static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static bool IsIPv4(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork;

    private sealed class SystemResolver : NameResolver
    {
        public override async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
            => Plain(await Dns.GetHostAddressesAsync(host, cancellationToken).ConfigureAwait(false));

        public override IPAddress[] Resolve(string host) => Plain(Dns.GetHostAddresses(host));

        private static IPAddress[] Plain(IPAddress[] addresses) => [.. addresses.Select(NameResolver.Plain).Distinct()];
    }
}
