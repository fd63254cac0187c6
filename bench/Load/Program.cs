using System.Diagnostics;
using MemcachedDistributedCache.Load.Fence;
using MemcachedDistributedCache.Load;

return await LoadOptions.Command(RunAsync).Parse(args).InvokeAsync(new() { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });

static async Task<int> RunAsync(LoadOptions options, CancellationToken cancellationToken)
{
    LocalServers? local = null;
    try
    {
        local = options.Nodes.Length == 0 ? await LocalServers.StartAsync(3, options.Limit + TimeSpan.FromMinutes(10), cancellationToken) : null;
        string[] nodes = local is null ? options.Nodes : [.. local.Nodes];
        await using var subjects = new Subjects(nodes, options);
        return await MeasureAsync(subjects, options, cancellationToken);
    }
    catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
    {
        return 130;
    }
    finally
    {
        if (local is not null)
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
        Report.WriteHead(Console.Out, options);
    }

    foreach (int size in options.Sizes)
    {
        await subjects.PrepareAsync(new Workload(Verb.Get, size), cancellationToken);
        foreach (Verb verb in options.Verbs)
        {
            var workload = new Workload(verb, size);
            foreach (int width in options.Callers.TakeWhile(_ => Stopwatch.GetElapsedTime(started) < options.Limit))
            {
                IReadOnlyList<Row> rows = await subjects.MeasureAsync(workload, width, options, cancellationToken);
                all.AddRange(rows);
                if (!options.Json)
                {
                    Report.Write(Console.Out, rows);
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
