using System.Net.Sockets;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Servers on Unix sockets, beside servers on TCP.</summary>
public sealed class UnixSocketTests : IDisposable
{
    private static readonly DistributedCacheEntryOptions Default = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mc-unix");

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public void Dispose() => _folder.Delete(recursive: true);

    [MemcachedFact]
    public async Task A_socket_and_a_port_are_one_cluster()
    {
        await using MemcachedProcess socket = await MemcachedProcess.StartOnSocketAsync(PathOf("mc.sock"));
        await using MemcachedProcess port = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On([socket.Server + ";weight=2", port.Server]);
        for (int key = 0; key < 300; key++)
        {
            byte[] value = KeyedValues.Create(key, 1, key * 50);
            string name = "key " + key;
            if (key % 2 == 0)
            {
                await cache.SetAsync(name, value, Default);
                Assert.Equal(value, cache.Get(name));
            }
            else
            {
                cache.Set(name, value, Default);
                Assert.Equal(value, await cache.GetAsync(name));
            }
        }

        IReadOnlyList<MemcachedNodeStatus> nodes = cache.GetNodes();
        Assert.Equal(["unix:" + PathOf("mc.sock"), port.Server], nodes.Select(static node => node.Server));
        Assert.Equal(300, nodes.Sum(static node => node.Hits));
        Assert.InRange(nodes[0].Hits, 150, 250);
        Assert.All(await cache.PingAsync(Eventually.Limit), static ping => Assert.NotNull(ping.RoundTrip));
    }

    [MemcachedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_that_is_not_there_is_told_with_its_path_and_found_when_it_starts(bool sync)
    {
        string path = PathOf("late.sock");
        var logger = new RecordingLogger();
        await using var cache = new MemcachedCache(
            new MemcachedCacheOptions { Servers = ["unix:" + path], FailureMode = MemcachedFailureMode.Throw },
            logger);
        MemcachedUnavailableException failure = await Assert.ThrowsAsync<MemcachedUnavailableException>(
            async () => _ = sync ? cache.Get("key") : await cache.GetAsync("key"));
        Assert.Contains($"there is no socket '{path}'", failure.Message, StringComparison.Ordinal);
        await logger.SeesAsync($"memcached unix:{path} is down", 1);
        await using MemcachedProcess server = await MemcachedProcess.StartOnSocketAsync(path);
        await cache.ReadableAsync();
        await cache.SetAsync("key", [1, 2], Default);
        Assert.Equal([1, 2], cache.Get("key"));
    }

    [MemcachedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_that_accepts_nobody_yet_is_waited_for(bool sync)
    {
        // The kernel lets as many connections wait as the backlog says; to others it says at once that there is no room.
        string path = PathOf("full.sock");
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(0);
        var waiting = new List<Socket>();
        while (TryConnect(path) is { } socket)
        {
            waiting.Add(socket);
            Assert.True(waiting.Count < 100, "the kernel takes no end of connections");
        }

        await using MemcachedCache cache = Caches.On(["unix:" + path], static options =>
        {
            options.ConnectTimeout = TimeSpan.FromSeconds(20);
            options.OperationTimeout = TimeSpan.FromSeconds(20);
            options.MaximumRetries = 0;
        });
        Task<byte[]?> reading = sync ? Blocking.Run(() => cache.Get("key")) : cache.GetAsync("key");
        await Task.Delay(100);
        Assert.False(reading.IsCompleted);
        listener.Dispose();

        // With the listener goes its file.
        MemcachedUnavailableException failure = await Assert.ThrowsAsync<MemcachedUnavailableException>(() => reading);
        Assert.Contains($"there is no socket '{path}'", failure.Message, StringComparison.Ordinal);
        waiting.ForEach(static socket => socket.Dispose());
    }

    private static Socket? TryConnect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }
}
