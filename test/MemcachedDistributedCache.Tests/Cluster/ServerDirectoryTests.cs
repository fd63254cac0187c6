using System.Collections.Concurrent;
using System.Net;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class ServerDirectoryTests : IDisposable
{
    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(30);

    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Names _names = new();

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task A_name_that_could_not_be_resolved_and_has_left_makes_no_look_ups_more_frequent()
    {
        ServerDirectory directory = On("mc1.test", "gone.test");
        directory.Follow();
        await Eventually.True(() => _time.IsPausing(Refresh), "it waits for the first look");
        _time.Advance(Refresh);
        await Eventually.True(() => _time.IsPausing(ServerDirectory.RetryPause), "one name is tried again soon");

        await directory.UseAsync([Spec("mc1.test")]);
        _time.Advance(ServerDirectory.RetryPause);
        await Eventually.True(() => _time.IsPausing(), "it has looked once more");
        Assert.True(_time.IsPausing(Refresh), "the name that is left can be resolved, and is looked up as often as the option says");
        Assert.Equal(1, _names.Asked("gone.test"));
        Assert.Null(directory.AddressesOf("gone.test"));
    }

    [Fact]
    public async Task A_name_that_comes_back_is_looked_up_anew()
    {
        ServerDirectory directory = On("mc1.test", "mc2.test");
        directory.Follow();
        await Eventually.True(() => _time.IsPausing(Refresh), "it waits for the first look");
        _time.Advance(Refresh);
        await Eventually.True(() => directory.AddressesOf("mc2.test") is not null, "both are known");
        await directory.UseAsync([Spec("mc1.test")]);
        Assert.Null(directory.AddressesOf("mc2.test"));
        await directory.UseAsync([Spec("mc1.test"), Spec("mc2.test") with { IsEachAddress = true }]);
        Assert.NotNull(directory.AddressesOf("mc2.test"));
    }

    private static ServerSpec Spec(string host) => new(new ServerAddress(host, 11211), 1);

    private ServerDirectory On(params string[] hosts)
    {
        ClusterSettings settings = ClusterRig.Settings(new FakeFactory(), _time) with { DnsRefreshInterval = Refresh };
        return new ServerDirectory(_names, settings, [.. hosts.Select(Spec)], static () => { }, _log, _stop.Token);
    }

    private sealed class Names : NameResolver
    {
        private readonly ConcurrentDictionary<string, int> _asked = new(StringComparer.Ordinal);

        public int Asked(string host) => _asked.GetValueOrDefault(host);

        public override Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Task.FromResult(Resolve(host));

        public override IPAddress[] Resolve(string host)
        {
            _asked.AddOrUpdate(host, 1, static (_, count) => count + 1);
            return host.StartsWith("gone", StringComparison.Ordinal) ? [] : [IPAddress.Parse("192.0.2.1")];
        }
    }
}
