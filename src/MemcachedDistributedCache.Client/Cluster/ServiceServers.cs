using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Cluster;

/// <summary>Makes servers of the SRV records of a service.</summary>
internal static class ServiceServers
{
    /// <summary>The servers, in an order of their own: DNS shuffles them. Where one is none, all are refused.</summary>
    public static (IReadOnlyList<ServerSpec>? Servers, string? Error) Of(IReadOnlyList<ServiceRecord> records)
    {
        if (records.Count is 0 or > ServerList.Most)
        {
            return (null, $"it names {records.Count} servers, and 1 to {ServerList.Most} can be");
        }

        var servers = new List<ServerSpec>(records.Count);
        int largest = records.Max(static record => record.Weight);
        bool areEqual = records.All(record => record.Weight == largest);
        foreach (ServiceRecord record in records)
        {
            string text = $"{record.Host}:{record.Port}";
            bool isServer = ServerSpec.TryParse(text, out ServerSpec? server, out _) && !server.Address.IsUnixSocket;
            if (!isServer || text.Contains(';', StringComparison.Ordinal))
            {
                return (null, $"it names '{text}', which is no server");
            }

            // Kubernetes shares 100 among the records, so equal weights change with their number, and nothing is meant by them.
            servers.Add(server! with { Weight = areEqual ? 1 : Scaled(record.Weight, largest) });
        }

        return ([.. servers.OrderBy(static server => server.Address.ToString(), StringComparer.Ordinal)], null);
    }

    /// <summary>A weight as it is; where one is over our range, in relation to the largest. 0 is the smallest that there is.</summary>
    private static int Scaled(int weight, int largest)
        => Math.Max(1, largest <= ServerSpec.MaximumWeight ? weight : (int)((long)weight * ServerSpec.MaximumWeight / largest));
}
