using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Servers that ask for a user and a password: what is right goes in, what is wrong is told and costs little.</summary>
public sealed class AuthenticationTests : IDisposable
{
    private readonly Ways _ways = new("auth");
    private readonly string _file = Path.GetTempFileName();

    public void Dispose()
    {
        _ways.Dispose();
        File.Delete(_file);
    }

    [MemcachedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_wrong_password_is_told_and_64_callers_make_no_storm_of_it(bool sync)
    {
        const string Wrong = "wrong-secret";
        await using MemcachedProcess server = await _ways.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        var logger = new RecordingLogger();
        await using var cache = new MemcachedCache(
            new MemcachedCacheOptions { Servers = [proxy.Server], UserName = Ways.User, Password = Wrong, FailureMode = MemcachedFailureMode.Throw },
            logger);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        string[][] messages = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Blocking.Run(() =>
        {
            var heard = new HashSet<string>(StringComparer.Ordinal);
            while (!stop.IsCancellationRequested)
            {
                Exception failure = Assert.Throws<MemcachedUnavailableException>(() => sync ? cache.Get("key") : cache.GetAsync("key").GetAwaiter().GetResult());
                heard.Add(failure.ToString());
                stop.Token.WaitHandle.WaitOne(1);
            }

            return heard.ToArray();
        })));
        Assert.InRange(proxy.ConnectionsAccepted, 1, 20);
        await logger.SeesAsync($"memcached {proxy.Server} is down: it refused UserName and its password", 1);
        Assert.Contains(messages.SelectMany(static heard => heard), static message => message.Contains("it refused UserName and its password", StringComparison.Ordinal));
        Assert.DoesNotContain(messages.SelectMany(static heard => heard).Concat(Texts(logger)), static text => text.Contains(Wrong, StringComparison.Ordinal));
    }

    [MemcachedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_password_that_is_corrected_in_its_file_is_taken_while_the_cache_runs(bool sync)
    {
        await using MemcachedProcess server = await _ways.StartAsync();
        await File.WriteAllTextAsync(_file, "wrong\n");
        await using var cache = new MemcachedCache(
            new MemcachedCacheOptions { Servers = [server.Server], UserName = Ways.User, PasswordFile = _file, FailureMode = MemcachedFailureMode.Throw });
        await Assert.ThrowsAsync<MemcachedUnavailableException>(async () => _ = sync ? cache.Get("key") : await cache.GetAsync("key"));
        await File.WriteAllTextAsync(_file, Ways.Password + "\n");
        await cache.ReadableAsync();
        cache.Set("key", [1], new());
        Assert.Equal([1], await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task A_server_that_does_not_ask_never_sees_the_password()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using (MemcachedCache cache = Caches.On([server.Server], static options => (options.UserName, options.Password) = (Ways.User, Ways.Password)))
        {
            Assert.Null(await cache.GetAsync("key"));
            Assert.Null(cache.Get("key"));
        }

        Assert.Equal("0", (await server.StatsAsync())["cmd_set"]);
    }

    [Theory]
    [InlineData("10.0.0.5", false, 1)]
    [InlineData("mc.invalid", false, 1)]
    [InlineData("10.0.0.5", true, 0)]
    [InlineData("127.0.0.1:1", false, 0)]
    [InlineData("[::1]:1", false, 0)]
    [InlineData("localhost:1", false, 0)]
    [InlineData("unix:/nowhere/mc.sock", false, 0)]
    public async Task A_password_that_would_cross_a_network_is_warned_of(string server, bool tls, int warnings)
    {
        var logger = new RecordingLogger();
        await using (new MemcachedCache(
            new MemcachedCacheOptions { Servers = [server], UserName = Ways.User, Password = Ways.Password, Tls = { Enabled = tls }, ConnectTimeout = TimeSpan.FromMilliseconds(50) },
            logger))
        {
            Assert.Equal(warnings, logger.Count("The password crosses the network"));
            Assert.DoesNotContain(Texts(logger), static text => text.Contains(Ways.Password, StringComparison.Ordinal));
        }
    }

    private static IEnumerable<string> Texts(RecordingLogger logger) => logger.Texts();
}
