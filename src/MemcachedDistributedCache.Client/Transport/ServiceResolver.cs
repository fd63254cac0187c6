using System.Net;
using DnsClient;
using DnsClient.Protocol;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// Asks DNS which servers a service has (SRV, RFC 2782). The operating system's resolver, which knows addresses only,
/// cannot be asked that. Blocks, and needs no thread pool.
/// </summary>
/// <param name="nameServers">Who is asked; those of the operating system where nothing is given.</param>
/// <param name="searchDomains">What a name that is not found is tried with; those of the operating system.</param>
internal sealed class ServiceResolver(IPEndPoint[]? nameServers = null, string[]? searchDomains = null)
{
    private const string ResolverConfiguration = "/etc/resolv.conf";

    /// <summary>How often each name server is asked the same.</summary>
    private const int Attempts = 2;

    private readonly Lazy<LookupClient> _client = new(
        () => new LookupClient(OptionsFor(nameServers)),
        LazyThreadSafetyMode.PublicationOnly); // a failure is not kept

    private int _answered;

    /// <summary>Asks the name servers of the operating system.</summary>
    public static ServiceResolver System { get; } = new();

    /// <summary>
    /// The records of a service, of the lowest priority only: the others are for the case that those are away, and that
    /// is the business of failover. Where there are none tells why.
    /// </summary>
    /// <param name="name">The name of the service.</param>
    /// <param name="limit">How long one form of the name may take; divided among the name servers.</param>
    public (IReadOnlyList<ServiceRecord> Records, string? Error) Resolve(string name, TimeSpan limit)
    {
        string? error = null;
        try
        {
            foreach (string candidate in Candidates(name))
            {
                (IDnsQueryResponse? response, string? failure) = Ask(new DnsQuestion(candidate, QueryType.SRV), limit);
                if (response is null)
                {
                    // Only a name that is surely not there is looked for elsewhere: the servers found there would be others.
                    return ([], failure);
                }

                SrvRecord[] records = [.. response.Answers.SrvRecords().Where(static record => record.Target.Value.TrimEnd('.').Length != 0)];
                if (records.Length != 0)
                {
                    int lowest = records.Min(static record => record.Priority);
                    return ([.. records.Where(record => record.Priority == lowest).Select(Read)], null);
                }

                error ??= response.HasError ? response.ErrorMessage : "the name has no SRV records";
            }
        }
        catch (Exception exception)
        {
            // Whatever it is: the thread is the cache's own, and the question is asked again.
            return ([], exception.Message);
        }

        return ([], error);
    }

    /// <summary>
    /// Asks one name server after the other, twice, until one answers. That the name is not there is an answer too: to
    /// ask the next server then, as the library would by itself, waits for one that may be dead, and loses the answer.
    /// </summary>
    private (IDnsQueryResponse? Response, string? Failure) Ask(DnsQuestion question, TimeSpan limit)
    {
        NameServer[] servers = [.. _client.Value.NameServers];
        DnsQueryOptions options = OptionsFor(limit / (Attempts * Math.Max(1, servers.Length)));
        string? failure = null;
        for (int i = 0; i < Attempts * servers.Length; i++)
        {
            // The one that answered last goes first: who is dead is waited for once, not for each search domain.
            int server = (Volatile.Read(ref _answered) + i) % servers.Length;
            try
            {
                IDnsQueryResponse response = _client.Value.QueryServer([servers[server]], question, options);
                if (!response.HasError || response.Header.ResponseCode == DnsHeaderResponseCode.NotExistentDomain)
                {
                    Volatile.Write(ref _answered, server);
                    return (response, null);
                }

                failure = response.ErrorMessage;
            }
            catch (Exception exception)
            {
                // Silence, no way there, or no DNS answer.
                failure = exception.Message;
            }
        }

        return (null, failure ?? "this system names no name server");
    }

    private static ServiceRecord Read(SrvRecord record) => new(record.Target.Value.TrimEnd('.').ToLowerInvariant(), record.Port, record.Weight);

    private static LookupClientOptions OptionsFor(IPEndPoint[]? nameServers)
        => nameServers is null ? new LookupClientOptions() : new LookupClientOptions(nameServers);

    private static DnsQueryOptions OptionsFor(TimeSpan limit) => new() { UseCache = false, Timeout = limit, Retries = 0 };

    /// <summary>The name as it is, and then within each search domain, unless it ends with a dot.</summary>
    private IEnumerable<string> Candidates(string name)
        => name.EndsWith('.') ? [name] : [name, .. (searchDomains ?? ReadSearchDomains()).Select(domain => $"{name}.{domain}")];

    private static string[] ReadSearchDomains()
    {
        try
        {
            return File.ReadLines(ResolverConfiguration)
                .Select(static line => line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
                .LastOrDefault(static words => words is ["search", ..])?[1..] ?? [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

/// <summary>One server of a service.</summary>
/// <param name="Host">Its name, in lower case and without the last dot.</param>
/// <param name="Port">Its port.</param>
/// <param name="Weight">Its share in relation to the others', 0 to 65535.</param>
internal sealed record ServiceRecord(string Host, int Port, int Weight);
