using System.Diagnostics;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Locks;

/// <summary>Locks on real memcached, whose clock ticks once a second, and which dies, freezes and comes back empty.</summary>
public sealed class LockTests : IAsyncLifetime
{
    private static readonly MemcachedLockOptions Short = new()
    {
        LeaseDuration = TimeSpan.FromSeconds(3),
        RenewalInterval = TimeSpan.FromMilliseconds(100),
        MaximumWaitPause = TimeSpan.FromMilliseconds(10),
    };

    private MemcachedProcess? _server;
    private MemcachedProcess? _other;

    private MemcachedProcess Server => _server!;

    /// <inheritdoc/>
    public async Task InitializeAsync()
    {
        if (MemcachedBinary.SkipReason is null)
        {
            _server = await MemcachedProcess.StartAsync();
        }
    }

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        foreach (MemcachedProcess? server in (MemcachedProcess?[])[_server, _other])
        {
            if (server is not null)
            {
                await server.DisposeAsync();
            }
        }
    }

    [MemcachedFact]
    public async Task Eight_processes_keep_each_other_out_and_their_numbers_grow()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("locks");
        try
        {
            const int Times = 6;
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => RunWorkerAsync("locks", Server.Server, "processes", $"{Times}", folder.FullName)));
            Assert.Equal(8 * Times, File.ReadAllLines(Path.Combine(folder.FullName, "numbers")).Length);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The holder's lease has ended when the server's has: the next holder gets the lock after that.</summary>
    [MemcachedFact]
    public async Task A_holder_without_answers_knows_before_another_gets_the_lock()
    {
        await using MemcachedClient client = Clients.On([Server.Server], static options =>
        {
            options.Namespace = "frozen:";
            options.OperationTimeout = TimeSpan.FromMilliseconds(300);
        });
        await using MemcachedLockHandle held = await new MemcachedLock("name", client, Short).AcquireAsync();
        Task<long> lost = WhenLostAsync(held);
        Server.Freeze();
        long lostAt = await lost;
        Server.Thaw();
        await using MemcachedClient fresh = Clients.On([Server.Server], static options => options.Namespace = "frozen:");
        await using MemcachedLockHandle next = await new MemcachedLock("name", fresh, Short).AcquireAsync(Eventually.Limit);
        Assert.True(Stopwatch.GetTimestamp() > lostAt);
        Assert.True(next.FencingToken > held.FencingToken);
    }

    /// <summary>A lock that nobody renews lives no shorter than its holder counts.</summary>
    [MemcachedFact]
    public async Task The_server_keeps_an_unrenewed_lock_for_as_long_as_its_holder_counts()
    {
        await using MemcachedClient client = Clients.On([Server.Server], static options => options.Namespace = "kept:");
        var options = new MemcachedLockOptions { LeaseDuration = TimeSpan.FromSeconds(3), RenewalInterval = TimeSpan.FromMilliseconds(500) };
        await using MemcachedClient leaving = Clients.On([Server.Server], static options => options.Namespace = "kept:");
        MemcachedLockHandle held = await new MemcachedLock("name", leaving, options).AcquireAsync();
        await leaving.DisposeAsync(); // No renewal is sent any more.
        Task<long> lost = WhenLostAsync(held);
        await using MemcachedLockHandle next = await new MemcachedLock("name", client, Short).AcquireAsync(Eventually.Limit);
        long nextAt = Stopwatch.GetTimestamp();
        Assert.True(await lost < nextAt);
    }

    [MemcachedFact]
    public async Task A_server_that_comes_back_empty_has_lost_the_lock_and_the_next_number_is_larger()
    {
        await using MemcachedClient client = Clients.On([Server.Server]);
        var locks = new MemcachedLock("name", client, Short);
        await using MemcachedLockHandle held = await locks.AcquireAsync();
        await Server.KillAsync();
        await Server.StartAgainAsync();
        await WhenLostAsync(held);
        await using MemcachedLockHandle next = await locks.AcquireAsync(Eventually.Limit);
        Assert.True(next.FencingToken > held.FencingToken);
    }

    /// <summary>The CAS of the lock was told by a connection that has ended.</summary>
    [MemcachedFact]
    public async Task A_lock_outlives_its_connections()
    {
        await using FaultProxy line = await FaultProxy.StartAsync(Server.EndPoint);
        await using MemcachedClient client = Clients.On([line.Server]);
        await using MemcachedLockHandle held = await new MemcachedLock("name", client, Short).AcquireAsync();
        for (int i = 0; i < 3; i++)
        {
            long connections = line.ConnectionsAccepted;
            line.DropConnections();
            await Eventually.True(() => line.ConnectionsAccepted > connections, "a new connection");
            long sent = line.BytesToServer;
            await Eventually.True(() => line.BytesToServer > sent + 500, "several renewals");
        }

        Assert.False(held.HandleLostToken.IsCancellationRequested);
        Assert.Null(await new MemcachedLock("name", client, Short).TryAcquireAsync());
    }

    /// <summary>A lock on the gutter would be a second lock.</summary>
    [MemcachedFact]
    public async Task A_lock_whose_server_is_down_is_not_taken_from_another_server()
    {
        _other = await MemcachedProcess.StartAsync();
        await using MemcachedClient client = Clients.On([Server.Server, _other.Server], static options =>
        {
            options.OperationTimeout = TimeSpan.FromMilliseconds(500);
            options.CounterFailover = MemcachedFailover.Gutter;
        });
        string name = Enumerable.Range(0, 1000)
            .Select(static i => $"name{i}")
            .First(name => client.NodeOf(new MemcachedKey("lock|" + name, "lock|" + name)) == Server.Server);
        var locks = new MemcachedLock(name, client, Short);
        await (await locks.AcquireAsync()).DisposeAsync();
        await using MemcachedLockHandle held = await locks.AcquireAsync();
        await Server.KillAsync();

        // The cache's side of the client does fail over: that is how one sees that the server counts as down.
        await Eventually.True(async () => (await client.SetAsync(new MemcachedKey("x", "lock|" + name), "x")).IsSuccess, "a failover");
        await Assert.ThrowsAsync<MemcachedUnavailableException>(() => locks.TryAcquireAsync().AsTask());
        Assert.Throws<MemcachedUnavailableException>(() => locks.TryAcquire());
        Assert.False(held.HandleLostToken.IsCancellationRequested, "a gutter without the lock says nothing about the lock");
        Assert.DoesNotContain("lock|", await _other.CommandAsync("lru_crawler metadump all", "END\r\n"), StringComparison.Ordinal);
    }

    private static async Task<long> WhenLostAsync(MemcachedLockHandle handle)
    {
        long started = Stopwatch.GetTimestamp();
        var lost = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration registration = handle.HandleLostToken.Register(() => lost.TrySetResult(Stopwatch.GetTimestamp()));
        long at = await lost.Task.WaitAsync(Eventually.Limit);
        Assert.True(Stopwatch.GetElapsedTime(started, at) < Short.LeaseDuration, "the loss came after the lease");
        return at;
    }

    private static async Task RunWorkerAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in (string[])[Path.Combine(AppContext.BaseDirectory, "MemcachedDistributedCache.Worker.dll"), .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using Process worker = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        try
        {
            string complaints = await worker.StandardError.ReadToEndAsync(limit.Token);
            await worker.WaitForExitAsync(limit.Token);
            Assert.True(worker.ExitCode == 0, complaints);
        }
        finally
        {
            if (!worker.HasExited)
            {
                worker.Kill();
            }
        }
    }
}
