using System.Diagnostics;
using MemcachedDistributedCache.Load;

return await LoadOptions.Command(RunAsync).Parse(args).InvokeAsync(new() { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });

static async Task<int> RunAsync(LoadOptions options, CancellationToken cancellationToken)
{
    var servers = new List<LocalServers>();
    try
    {
        async Task<Way> StartAsync(Transport transport)
        {
            servers.Add(await LocalServers.StartAsync(transport, 3, options.Limit + TimeSpan.FromMinutes(10), cancellationToken));
            return servers[^1].Way;
        }

        Way plain = options.Nodes.Length == 0 ? await StartAsync(Transport.Tcp) : new Way(Transport.Tcp, options.Nodes);
        List<Way> ways = [.. options.Protocols.Select(protocol => plain with { Protocol = protocol })];
        foreach (Transport transport in options.Transports)
        {
            ways.Add(await StartAsync(transport));
        }

        await using var subjects = new Subjects(ways, options);
        return await MeasureAsync(subjects, options, cancellationToken);
    }
    catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
    {
        return 130;
    }
    finally
    {
        foreach (LocalServers local in servers)
        {
            await local.DisposeAsync();
        }
    }
}

static async Task<int> MeasureAsync(Subjects subjects, LoadOptions options, CancellationToken cancellationToken)
{
    long started = Stopwatch.GetTimestamp();
    var all = new List<Row>();
    if (!options.Json)
    {
        Report.WriteHead(Console.Out, options, await Neighbours.LookAsync(cancellationToken));
    }

    foreach (int size in options.Sizes)
    {
        await subjects.PrepareAsync(new Workload(Verb.Get, size), cancellationToken);
        foreach (Verb verb in options.Verbs)
        {
            var workload = new Workload(verb, size);
            foreach (int width in options.Callers.TakeWhile(_ => Stopwatch.GetElapsedTime(started) < options.Limit))
            {
                var neighbours = new Neighbours();
                IReadOnlyList<Row> rows = await subjects.MeasureAsync(workload, width, options, cancellationToken);
                all.AddRange(rows);
                if (!options.Json)
                {
                    Report.Write(Console.Out, rows, neighbours.Share());
                }
            }
        }
    }

    if (options.Json)
    {
        Report.WriteJson(Console.Out, options, all);
    }

    return all.Exists(static row => row.Median.Wrong != 0) ? 1 : 0;
}
