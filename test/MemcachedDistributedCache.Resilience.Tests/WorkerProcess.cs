using System.Diagnostics;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Runs what needs a process of its own.</summary>
internal static class WorkerProcess
{
    /// <summary>Runs it to its end, which must be a good one.</summary>
    public static async Task RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardError = true, UseShellExecute = false };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "MemcachedDistributedCache.Worker.dll"));
        foreach (string argument in arguments)
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
