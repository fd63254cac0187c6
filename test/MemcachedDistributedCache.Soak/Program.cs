using MemcachedDistributedCache.Soak;
using MemcachedDistributedCache.Testing;

if (MemcachedBinary.SkipReason is { } reason)
{
    Console.Error.WriteLine(reason);
    return 2;
}

return await SoakOptions.Command(static async (options, cancellationToken) =>
{
    SoakReport report = await SoakRun.ExecuteAsync(options, Console.Out.WriteLine, cancellationToken);
    Console.Out.Write(report.Text);
    return report.IsClean ? 0 : 1;
}).Parse(args).InvokeAsync(new() { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
