using MemcachedDistributedCache.Options;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache;

/// <summary>
/// The options of a memcached client: its servers, connections, time limits, and what holds for all keys. They are read and validated
/// when the host starts; of later changes only that of <see cref="Servers"/> is followed. A value that is out of its range ends the
/// start with an <c>OptionsValidationException</c> that names the option, the value and the remedy.
/// </summary>
public class MemcachedClientOptions
{
    /// <summary>
    /// The servers, each <c>host[:port][;weight=n][;addresses=each]</c>; the port is 11211 by default, the weight 1 (1
    /// to 100). IPv6 addresses stand in brackets. With <c>addresses=each</c> every address of the name is a server of
    /// its own, as with a Kubernetes headless service. A server of this machine may be named by its Unix socket:
    /// <c>unix:/run/memcached.sock[;weight=n]</c>. At least one, unless <see cref="Discovery"/> is set; none twice. Where none is
    /// named and the container has embedded nodes, those are used. One of them may be who tells the servers,
    /// <c>host[:port];discover=cluster</c> or <c>name;discover=srv</c>, which means the same as <see cref="Discovery"/>.
    /// All processes that share a cache must name the servers alike: the text, or
    /// the address, decides which server has which key. Changes of the configuration are followed while the application
    /// runs. Default: empty, which is refused at start.
    /// </summary>
    [Servers]
    public IList<string> Servers { get; set; } = [];

    /// <summary>
    /// Who is asked which servers there are: a configuration endpoint, <c>host[:port]</c>
    /// (<c>config get cluster</c>), as ElastiCache and Memorystore have it, its port 11211 by default; or the name of a
    /// service in DNS that begins with <c>_</c>, such as <c>_memcached._tcp.mc.default.svc</c> (SRV records), which has
    /// no port. The servers that are found take the place of <see cref="Servers"/>, which are used until the first answer. Without them every
    /// call is a miss until then. Default: not set, so that <see cref="Servers"/> names them.
    /// </summary>
    [Endpoint]
    public string? Discovery { get; set; }

    /// <summary>
    /// How often it is asked which servers there are, with <see cref="Discovery"/>; besides soon after a server has
    /// failed, at most every 5 seconds. 1 second to 1 day. Default: 1 minute.
    /// </summary>
    [Duration("00:00:01", "1.00:00:00")]
    public TimeSpan DiscoveryInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// What stands behind the address of a server. Set it to <see cref="MemcachedTopology.Shared"/> for a proxy, a balancer, or
    /// ElastiCache Serverless: then nothing rests on CAS tokens across an outage, keys of a server that is down are misses
    /// whatever <see cref="Failover"/> says, and servers are not asked for their statistics. Default: <see cref="MemcachedTopology.Nodes"/>.
    /// </summary>
    [OneOf(typeof(MemcachedTopology))]
    public MemcachedTopology Topology { get; set; } = MemcachedTopology.Nodes;

    /// <summary>
    /// Stands before every key, so that applications share a cluster without meeting. Up to 205 printable ASCII characters, no
    /// space and no <c>|</c>, not beginning with <c>#</c>. Default: empty.
    /// </summary>
    [KeyNamespace]
    public string Namespace { get; set; } = "";

    /// <summary>The time to live of an entry whose caller gives no expiration. 1 second to 365 days. Default: 20 minutes.</summary>
    [Duration("00:00:01", "365.00:00:00")]
    public TimeSpan DefaultTimeToLive { get; set; } = TimeSpan.FromMinutes(20);

    /// <summary>
    /// The longest value, in bytes, 1 to 1 073 741 824. The server's item size (<c>memcached -I</c>, 1 MiB by default, read when
    /// connecting) holds besides; the smaller of the two counts. An item that is larger than this, and in a cache larger than
    /// <c>Hybrid:MaximumPayloadBytes</c> too, is a miss when it is read, whoever has stored it.
    /// Default: 1 073 741 824, so that the server decides.
    /// </summary>
    [Count(1, 1024 * 1024 * 1024)]
    public int MaximumValueBytes { get; set; } = 1024 * 1024 * 1024;

    /// <summary>
    /// How long one operation may take, its retries included, before its caller is told that there is no answer; a late reply is read and
    /// dropped. 20 milliseconds to 1 minute. Default: 1 second.
    /// </summary>
    [Duration("00:00:00.020", "00:01:00")]
    public TimeSpan OperationTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long one attempt of an operation may take; another is made where it still ends within
    /// <see cref="OperationTimeout"/>. 10 milliseconds to 1 minute, and less than <see cref="OperationTimeout"/> unless
    /// <see cref="MaximumRetries"/> is 0. Default: not set, which is two fifths of <see cref="OperationTimeout"/>, or
    /// the whole of it without retries.
    /// </summary>
    [Duration("00:00:00.010", "00:01:00")]
    public TimeSpan? AttemptTimeout { get; set; }

    /// <summary>
    /// How often an operation is tried again that timed out, lost its connection or was not sent, 0 to 10. Not while
    /// the server is down, and not when it is overloaded. Default: 2.
    /// </summary>
    [Count(0, 10)]
    public int MaximumRetries { get; set; } = 2;

    /// <summary>
    /// The pause before the first retry; each further one is about twice as long, all with jitter. 1 millisecond to 10
    /// seconds, and less than <see cref="OperationTimeout"/> unless <see cref="MaximumRetries"/> is 0. Default: 10
    /// milliseconds.
    /// </summary>
    [Duration("00:00:00.001", "00:00:10")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// The commands that servers are asked by. <see cref="MemcachedProtocol.Auto"/> finds out at each connection; the
    /// others are for a proxy that closes the connection at a question that it does not know
    /// (<see cref="MemcachedProtocol.Classic"/>), and to refuse servers without meta commands
    /// (<see cref="MemcachedProtocol.Meta"/>). Default: <see cref="MemcachedProtocol.Auto"/>.
    /// </summary>
    [OneOf(typeof(MemcachedProtocol))]
    public MemcachedProtocol Protocol { get; set; } = MemcachedProtocol.Auto;

    /// <summary>
    /// The server, if any, that serves the keys of a server that is down; none with <see cref="MemcachedTopology.Shared"/>.
    /// Default: <see cref="MemcachedFailover.Gutter"/>.
    /// </summary>
    [OneOf(typeof(MemcachedFailover))]
    public MemcachedFailover Failover { get; set; } = MemcachedFailover.Gutter;

    /// <summary>
    /// How long a server keeps what it holds for another that is down, with <see cref="MemcachedFailover.Gutter"/>; in
    /// whole seconds, rounded up, and never longer than the entry's own time to live. It bounds how old a value can be
    /// that is read by a process which has not noticed that the other server is back. 1 second to 1 hour. Default: 30
    /// seconds.
    /// </summary>
    [Duration("00:00:01", "01:00:00")]
    public TimeSpan GutterTimeToLive { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The share of requests without an answer at which a server counts as down though it can be reached, 0.01 to 1. Default: 0.5.
    /// </summary>
    [Share(0.01, 1)]
    public double BreakerFailureRatio { get; set; } = 0.5;

    /// <summary>
    /// How many requests there must have been to judge a server by <see cref="BreakerFailureRatio"/>, 2 to 1 000 000.
    /// Default: 20.
    /// </summary>
    [Count(2, 1_000_000)]
    public int BreakerMinimumThroughput { get; set; } = 20;

    /// <summary>
    /// How far back requests count for <see cref="BreakerFailureRatio"/>; where one attempt may take longer, as far
    /// back as that. Half a second to 10 minutes. Default: 5 seconds.
    /// </summary>
    [Duration("00:00:00.500", "00:10:00")]
    public TimeSpan BreakerSamplingDuration { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How often host names are looked up again while they are in use: a connection to an address that its name has no
    /// more is replaced, and with <c>addresses=each</c> servers join and leave. 1 second to 1 day, or -00:00:00.001
    /// (<see cref="Timeout.InfiniteTimeSpan"/>) for never. Default: 30 seconds.
    /// </summary>
    [Duration("00:00:01", "1.00:00:00", AllowInfinite = true)]
    public TimeSpan DnsRefreshInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long opening a connection may take: name resolution, TCP and the exchange that reads the server's version and
    /// limits. 10 milliseconds to 1 minute. Default: 2 seconds.
    /// </summary>
    [Duration("00:00:00.010", "00:01:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How long a connection may carry nothing before it is closed; the next operation opens another. 1 second to 1 day, or
    /// -00:00:00.001 (<see cref="Timeout.InfiniteTimeSpan"/>) for ever. Must exceed <see cref="OperationTimeout"/>. Default: 10 minutes.
    /// </summary>
    [Duration("00:00:01", "1.00:00:00", AllowInfinite = true)]
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The first pause before a server that is down is tried again; each further pause is about twice as long, with jitter. A
    /// connection that ends sooner than this after it was begun counts as a failure. 1 millisecond to 1 minute. Default: 100 milliseconds.
    /// </summary>
    [Duration("00:00:00.001", "00:01:00")]
    public TimeSpan ReconnectDelay { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The longest pause before a server that is down is tried again. 1 millisecond to 10 minutes, and no less than
    /// <see cref="ReconnectDelay"/>. Default: 2 seconds.
    /// </summary>
    [Duration("00:00:00.001", "00:10:00")]
    public TimeSpan MaximumReconnectDelay { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Connections to each server for asynchronous calls, 1 to 64; all callers share them. Synchronous calls use one more, opened when
    /// they are first made, and asynchronous reads of values from 64 KiB on another, opened when such a value is read
    /// again. So a server must allow every process two connections more than this, and has to have room for a
    /// connection that is replaced or asks for statistics. Default: 1.
    /// </summary>
    [Count(1, 64)]
    public int ConnectionsPerNode { get; set; } = 1;

    /// <summary>
    /// How many requests may await their reply on one connection, 1 to 1 000 000. Beyond that an operation ends at once as
    /// <see cref="MemcachedFailureReason.Overloaded"/>. Default: 16 384.
    /// </summary>
    [Count(1, 1_000_000)]
    public int MaximumPendingOperations { get; set; } = 16_384;

    /// <summary>
    /// How many keys are remembered per server because a write or removal failed, 0 to 10 000 000. A remembered key is
    /// a miss until what the server has under it has been removed. Beyond the bound nothing that the server held before
    /// is read again. Takes about 200 bytes a key, while there are any. Default: 100 000.
    /// </summary>
    [Count(0, 10_000_000)]
    public int MaximumUncertainKeys { get; set; } = 100_000;

    /// <summary>
    /// How many bytes may wait to be sent on one connection, 64 KiB to 2 147 483 647. Beyond that an operation ends at once as
    /// <see cref="MemcachedFailureReason.Overloaded"/>; one that is alone is always taken. Default: 67 108 864 (64 MiB).
    /// </summary>
    [Count(64 * 1024, int.MaxValue)]
    public int MaximumBufferedBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// The user of servers that ask for one (memcached <c>-Y</c>). It may have no space, control character or colon. Each connection sends
    /// user and password to a server that asks, before anything else; a server that does not ask gets neither. Default:
    /// not set.
    /// </summary>
    [Text]
    public string? UserName { get; set; }

    /// <summary>
    /// The password of <see cref="UserName"/>, without spaces and control characters; with the user at most 254 bytes in UTF-8. It crosses
    /// the network as it is, so <see cref="Tls"/> belongs to it; a warning at the start says where it would be readable. Set
    /// this or <see cref="PasswordFile"/>. Default: not set.
    /// </summary>
    [Secret]
    public string? Password { get; set; }

    /// <summary>
    /// A file that holds the password alone; a line end at its end does not count. It is read anew for each new connection, so that a
    /// password may be replaced while the application runs. Set this or <see cref="Password"/>. Default: not set.
    /// </summary>
    [Text]
    public string? PasswordFile { get; set; }

    /// <summary>
    /// What becomes of a key of <see cref="IMemcachedClient"/> that memcached does not take as it is. The caches hash such keys whatever
    /// is set here. Default: <see cref="MemcachedIllegalKeys.Refuse"/>.
    /// </summary>
    [OneOf(typeof(MemcachedIllegalKeys))]
    public MemcachedIllegalKeys IllegalKeys { get; set; } = MemcachedIllegalKeys.Refuse;

    /// <summary>
    /// The key of a store or a deletion by <see cref="IMemcachedClient"/> that got no answer is not found until its server has removed what
    /// it holds, so that no older value is read. The caches do so whatever is set here. Default: true.
    /// </summary>
    public bool RemoveUncertain { get; set; } = true;

    /// <summary>
    /// The server, if any, that counts, appends and prepends for <see cref="IMemcachedClient"/> in the place of one that is down, where
    /// <see cref="Failover"/> allows that: a counter begins there anew, and one whose change got no answer is removed.
    /// Default: <see cref="MemcachedFailover.None"/>, so that such a change is <see cref="MemcachedOutcome.Unavailable"/>.
    /// </summary>
    [OneOf(typeof(MemcachedFailover))]
    public MemcachedFailover CounterFailover { get; set; } = MemcachedFailover.None;

    /// <summary>The options of encrypted connections; in configuration the sub-section <c>Tls</c>.</summary>
    [ValidateObjectMembers(typeof(MemcachedTlsOptionsValidator))]
    public MemcachedTlsOptions Tls { get; set; } = new();

    /// <summary>Which servers the registrations name.</summary>
    internal NamedServers NamedServers { get; } = new();

    /// <summary>The source that <see cref="UseServerSource"/> was given.</summary>
    internal IMemcachedServerSource? ServerSource { get; private set; }

    /// <summary>
    /// Lets the servers be told by code of your own, in place of <see cref="Servers"/>, which are used until the first answer.
    /// The source is asked as an endpoint of <see cref="Discovery"/> is: at the start, which waits for
    /// <see cref="ConnectTimeout"/> at most, every <see cref="DiscoveryInterval"/>, after a server has failed, and when the source
    /// says so. Together with <see cref="Discovery"/> it is refused at start. Read at the start only; of several calls the last counts.
    /// </summary>
    /// <param name="source">Tells the servers. The cache does not dispose it.</param>
    public void UseServerSource(IMemcachedServerSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        ServerSource = source;
    }

    /// <summary>The serializer that <see cref="UseSerializer"/> was given.</summary>
    internal IMemcachedSerializer? Serializer { get; private set; }

    /// <summary>
    /// Sets how <see cref="IMemcachedClient"/> makes bytes of values. The caches have serializers of their own. Default: a
    /// <see cref="MemcachedJsonSerializer"/> that uses reflection.
    /// </summary>
    /// <param name="serializer">The serializer.</param>
    public void UseSerializer(IMemcachedSerializer serializer)
    {
        ArgumentNullException.ThrowIfNull(serializer);
        Serializer = serializer;
    }
}
