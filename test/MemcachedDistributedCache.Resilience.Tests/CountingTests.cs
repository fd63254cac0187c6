using System.Diagnostics;
using System.Globalization;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// 10 000 increments of one number from 8 processes, while its server is frozen, cut off, and restarted with its items. A process that
/// finds no counter makes one with a first number of its own, so that each life of the counter is told from the others.
/// </summary>
[Trait("Machine", "Quiet")]
public sealed class CountingTests(ITestOutputHelper output) : IDisposable
{
    private const int Processes = 8;
    private const int Each = 1250;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly string _memory = Path.Combine(Path.GetTempPath(), $"memcached-{Guid.NewGuid():N}");
    private readonly List<Process> _workers = [];

    public void Dispose()
    {
        foreach (Process worker in _workers)
        {
            if (!worker.HasExited)
            {
                worker.Kill();
            }

            worker.Dispose();
        }

        File.Delete(_memory);
        File.Delete(_memory + ".meta");
    }

    [MemcachedFact]
    public async Task No_acknowledged_increment_is_missing_or_counts_twice()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-e", _memory, "-m", "64");
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        for (int i = 0; i < Processes; i++)
        {
            _workers.Add(Start("count", proxy.Server, "counter", Each.ToString(CultureInfo.InvariantCulture)));
        }

        await Task.WhenAll(_workers.Select(static worker => SaidAsync(worker, "ready")));
        foreach (Process worker in _workers)
        {
            await worker.StandardInput.WriteLineAsync("go");
        }

        Task<(int Unknown, ulong[] Told)[]> counting = Task.WhenAll(_workers.Select(ResultAsync));
        await CountedAsync(server, 1000);
        server.Freeze();
        await Task.Delay(400);
        server.Thaw();
        await CountedAsync(server, 2500);
        proxy.DropConnections(reset: true);
        await CountedAsync(server, 4000);
        await server.StopKeepingItemsAsync();
        await KeptItemsTests.UntilItTakesItsItemsAsync(_memory);
        await server.StartAgainAsync();
        (int Unknown, ulong[] Told)[] results = await counting;
        ulong[] told = [.. results.SelectMany(static result => result.Told)];
        Judge(results.Sum(static result => result.Unknown), told, await ValueAsync(server));
    }

    private void Judge(int unknown, ulong[] told, ulong last)
    {
        Assert.Equal(Processes * Each, unknown + told.Length);
        Assert.Equal(told.Length, told.Distinct().Count());
        foreach (IGrouping<ulong, ulong> life in told.GroupBy(static number => number >> 32))
        {
            ulong acknowledged = (ulong)life.Count();
            ulong value = life.Key == last >> 32 ? (uint)last : life.Max(static number => (uint)number);
            output.WriteLine($"acknowledged {acknowledged}, value {value}, unknown {unknown}");

            // A counter that was kept has all that was acknowledged, and of what is unknown each increment at most once.
            Assert.InRange(value, acknowledged, acknowledged + (ulong)unknown);
        }
    }

    /// <summary>Waits until the server has counted so often, in all.</summary>
    private static Task CountedAsync(MemcachedProcess server, int times)
        => Eventually.True(
            async () => int.Parse((await server.StatsAsync())["incr_hits"], CultureInfo.InvariantCulture) >= times,
            "the processes count");

    private static async Task<ulong> ValueAsync(MemcachedProcess server)
    {
        string reply = await server.CommandAsync("get counter", "END\r\n");
        return ulong.Parse(reply.Split("\r\n")[1], CultureInfo.InvariantCulture);
    }

    private static async Task<(int Unknown, ulong[] Told)> ResultAsync(Process worker)
    {
        string unknown = await SaidAsync(worker, "unknown ");
        string told = await SaidAsync(worker, "told ");
        return (
            int.Parse(unknown, CultureInfo.InvariantCulture),
            [.. told.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(static number => ulong.Parse(number, CultureInfo.InvariantCulture))]);
    }

    private static async Task<string> SaidAsync(Process worker, string start)
    {
        using var limit = new CancellationTokenSource(Limit);
        string? line = await worker.StandardOutput.ReadLineAsync(limit.Token);
        Assert.StartsWith(start, line, StringComparison.Ordinal);
        return line![start.Length..];
    }

    private static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "MemcachedDistributedCache.Worker.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }
}
