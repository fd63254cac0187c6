using System.Collections.Concurrent;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Soak;

/// <summary>
/// Does to one node and the line to it what a bad week does, one fault after another as the seed has it.
/// <para>
/// No fault holds a request back for longer than the cache allows for after a connection broke (two operation limits). A network that
/// delivered one later could bring back any value, whatever a client does.
/// </para>
/// </summary>
internal sealed class NodeFaults(MemcachedProcess server, FaultProxy proxy, ConcurrentDictionary<string, int> made, Random random)
{
    /// <summary>Goes on until it is stopped, and leaves the node whole.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (await PauseAsync(random.Next(100, 3000), stop))
        {
            string kind = await MakeAsync(stop);
            made.AddOrUpdate(kind, 1, static (_, count) => count + 1);
        }
    }

    private async Task<string> MakeAsync(CancellationToken stop)
    {
        switch (random.Next(12))
        {
            case 0:
                await server.KillAsync();
                await PauseAsync(random.Next(3000), stop);
                await server.StartAgainAsync();
                return "kill and restart";
            case 1:
                // The line stays, and new connections with it: what comes back is another server behind the same port.
                await server.KillAsync();
                await server.StartAgainAsync();
                return "restart at once";
            case 2:
                server.Freeze();
                await PauseAsync(random.Next(50, 4000), stop);
                server.Thaw();
                return "freeze";
            case 3:
                await proxy.ApplyAsync(Fault.Refuse);
                proxy.DropConnections(reset: true);
                await PauseAsync(random.Next(50, 4000), stop);
                return await HealAsync("cut");
            case 4:
                proxy.DropConnections(reset: true);
                return "reset";
            case 5:
                proxy.DropConnections(reset: false);
                return "end";
            case 6:
                return await HoldAsync("delayed replies", Fault.OnReplies(new StreamFault { Delay = Milliseconds(200) }), stop);
            case 7:
                return await HoldAsync("delayed requests", Fault.OnRequests(new StreamFault { Delay = Milliseconds(100) }), stop);
            case 8:
                return await HoldAsync("stalled replies", Fault.OnReplies(new StreamFault { Stall = true }), stop);
            case 9:
                return await HoldAsync("stalled requests", Fault.OnRequests(new StreamFault { Stall = true }), stop);
            case 10:
                return await HoldAsync("dripping replies", Fault.OnReplies(new StreamFault { DripBytes = random.Next(50, 2000), DripInterval = TimeSpan.FromMilliseconds(1) }), stop);
            default:
                var cut = new StreamFault { CutAfterBytes = random.Next(20_000), ResetOnCut = random.Next(2) == 0 };
                return await HoldAsync("cut after some bytes", random.Next(2) == 0 ? Fault.OnReplies(cut) : Fault.OnRequests(cut), stop);
        }
    }

    private async Task<string> HoldAsync(string kind, Fault fault, CancellationToken stop)
    {
        await proxy.ApplyAsync(fault);
        await PauseAsync(random.Next(50, 3000), stop);
        return await HealAsync(kind);
    }

    private async Task<string> HealAsync(string kind)
    {
        await proxy.ApplyAsync(Fault.None);
        return kind;
    }

    private TimeSpan Milliseconds(int most) => TimeSpan.FromMilliseconds(random.Next(1, most));

    /// <summary>False when the run is over.</summary>
    private static async Task<bool> PauseAsync(int milliseconds, CancellationToken stop)
    {
        await Task.Delay(milliseconds, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !stop.IsCancellationRequested;
    }
}
