using System.Globalization;
using System.Net;
using System.Net.Security;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>The questions for a server's statistics, which have connections of their own.</summary>
public sealed class StatisticsConnectionTests : IDisposable
{
    private readonly TestCertificates _certificates = new();

    public void Dispose() => _certificates.Dispose();

    [Fact]
    public async Task An_encrypted_connection_is_kept_for_the_next_question_until_it_is_closed()
    {
        using var certificate = _certificates.Issue("server").Load();
        await using EmbeddedMemcached server = EmbeddedMemcached.Start(
            new EmbeddedMemcachedOptions { Tls = new SslServerAuthenticationOptions { ServerCertificate = certificate } });
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.Nodes[0].EndPoint);
        StatisticsConnection statistics = On(proxy.EndPoint, encrypted: true, credentials: null);
        Assert.NotNull(await statistics.AskAsync(CancellationToken.None));
        Assert.NotNull(await statistics.AskAsync(CancellationToken.None));
        Assert.Equal(1, proxy.ConnectionsAccepted);

        // One that has broken meanwhile is replaced, and the question answered.
        proxy.DropConnections(reset: true);
        Assert.NotNull(await statistics.AskAsync(CancellationToken.None));
        Assert.Equal(2, proxy.ConnectionsAccepted);
        statistics.Close();
        Assert.NotNull(await statistics.AskAsync(CancellationToken.None));
        Assert.Equal(3, proxy.ConnectionsAccepted);
        statistics.Close();
        await Eventually.True(() => server.Nodes[0].ConnectionCount == 0, "nothing is kept");
    }

    [MemcachedFact]
    public async Task A_plain_connection_is_not_kept()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        StatisticsConnection statistics = On(server.EndPoint, encrypted: false, credentials: null);
        Assert.NotNull(await statistics.AskAsync(CancellationToken.None));
        Assert.NotNull(await statistics.AskAsync(CancellationToken.None));
        await Eventually.True(
            () => int.Parse(server.StatsAsync().GetAwaiter().GetResult()["curr_connections"], CultureInfo.InvariantCulture) <= 3,
            "only the listener and this question are left");
    }

    [MemcachedTheory]
    [InlineData("right", true)]
    [InlineData("wrong", false)]
    public async Task A_server_that_asks_for_a_password_gets_it_first(string password, bool answers)
    {
        string users = _certificates.PathOf("users");
        await File.WriteAllTextAsync(users, "user:right\n");
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-Y", users);
        StatisticsConnection statistics = On(server.EndPoint, encrypted: false, new Credentials("user", password, null));
        ServerStatistics? said = await statistics.AskAsync(CancellationToken.None);
        Assert.Equal(answers, said is not null);
    }

    private StatisticsConnection On(IPEndPoint server, bool encrypted, Credentials? credentials)
    {
        TlsSettings? tls = encrypted ? new TlsSettings { Certificates = new TlsCertificates(_certificates.CaFile, null, null, null) } : null;
        var settings = new ConnectionSettings
        {
            Factory = new ServerConnectionFactory(NameResolver.System, tls),
            Credentials = credentials,
            Clock = new OperationClock(TimeProvider.System, TimeSpan.FromSeconds(10)),
            HasPrefix = static _ => false,
            TimeProvider = TimeProvider.System,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            IdleTimeout = Timeout.InfiniteTimeSpan,
            MaximumPendingOperations = 1000,
            MaximumBufferedBytes = 1_000_000,
        };
        return new StatisticsConnection(settings, new ServerAddress(server.Address.ToString(), server.Port));
    }
}
