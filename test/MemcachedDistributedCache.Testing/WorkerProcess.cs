using System.Diagnostics;
using System.Globalization;

namespace MemcachedDistributedCache.Testing;

/// <summary>A process of the worker program, ended with the test.</summary>
public sealed class WorkerProcess : IDisposable
{
    private readonly Process _process;

    /// <summary>Starts it; the test's project has to refer to the worker's.</summary>
    public WorkerProcess(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "MemcachedDistributedCache.Worker.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
    }

    /// <summary>Writes a line to its input.</summary>
    public void Say(string line) => _process.StandardInput.WriteLine(line);

    /// <summary>Waits for a line, and returns those before it.</summary>
    public async Task<IReadOnlyList<string>> SaysAsync(string expected)
    {
        var before = new List<string>();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (await _process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
        {
            if (line == expected)
            {
                return before;
            }

            before.Add(line);
        }

        throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"The worker ended and never said '{expected}'."));
    }

    /// <summary>Ends it at once.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }
}
