using System.Diagnostics;
using System.Text.RegularExpressions;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.WebTests;

/// <summary>Holds samples/WebApi/README.md against the product, so that it cannot rot.</summary>
public sealed partial class SampleReadmeTests
{
    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "sample.README.md"));

    [CurlFact]
    public async Task The_curl_lines_answer_as_written()
    {
        await using var cluster = SampleCluster.WithoutNodes();
        SampleApp app = cluster.NewApp(null, ("Products:WarmUp", "10"));
        Uri address = app.Listen();
        using HttpClient client = app.NewClient();
        await client.WaitForNodesAsync(static nodes => nodes.All(static node => node.State == "Up"));

        List<(string Command, string Answer)> examples = ReadExamples();
        Assert.Equal(20, examples.Count);
        foreach (string endpoint in (string[])["/api/products/1", "/api/products/1/price", "/api/products/reprice", "/api/session/visits", "/api/cache/nodes", "/api/report?category=premium", "/health/ready", "/api/products/2/quote?quantity=100"])
        {
            Assert.Contains(examples, example => example.Command.EndsWith("http://127.0.0.1:5080" + endpoint, StringComparison.Ordinal));
        }

        foreach ((string command, string expected) in examples)
        {
            string answer = await RunAsync(
                command.Replace("http://127.0.0.1:5080", address.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal),
                cluster.Folder);
            Assert.Equal(Generalize(command, expected), Generalize(command, answer));
        }
    }

    /// <summary>Each command of the console fences with what follows it there.</summary>
    private static List<(string Command, string Answer)> ReadExamples()
    {
        var examples = new List<(string Command, string Answer)>();
        bool isInside = false;
        foreach (string line in Lines)
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                isInside = line == "```console";
            }
            else if (isInside && line.StartsWith("$ ", StringComparison.Ordinal))
            {
                examples.Add((line[2..], ""));
            }
            else if (isInside)
            {
                examples[^1] = (examples[^1].Command, examples[^1].Answer + line + "\n");
            }
        }

        return examples;
    }

    /// <summary>
    /// Takes out what differs from run to run: the date, the trace (the last digit says whether it is recorded and
    /// random), and for nodes all numbers, for the ports decide which keys they have.
    /// </summary>
    private static string Generalize(string command, string answer)
    {
        string text = answer.ReplaceLineEndings("\n").TrimEnd();
        text = Trace().Replace(Date().Replace(text, "Date: now"), "\"traceId\":\"00-trace\"");
        text = RetryAfter().Replace(text, "Retry-After: soon");
        text = MadeAt().Replace(text, "\"madeAt\":\"now\"");
        return command.EndsWith("/nodes", StringComparison.Ordinal) ? Number().Replace(text, "0") : text;
    }

    private static async Task<string> RunAsync(string command, string folder)
    {
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", command])
        {
            UseShellExecute = false,
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
        string answer = await process.StandardOutput.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        Assert.True(process.ExitCode == 0, $"{command} ended with {process.ExitCode}: {await error}");
        return answer;
    }

    [GeneratedRegex("^Date: .* GMT$", RegexOptions.Multiline)]
    private static partial Regex Date();

    [GeneratedRegex("\"traceId\":\"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]\"")]
    private static partial Regex Trace();

    [GeneratedRegex("^Retry-After: [0-9]+$", RegexOptions.Multiline)]
    private static partial Regex RetryAfter();

    [GeneratedRegex("\"madeAt\":\"[0-9-]{10}T[0-9:.]+(?:Z|[+]00:00)\"")]
    private static partial Regex MadeAt();

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Number();

    private sealed class CurlFactAttribute : FactAttribute
    {
        public CurlFactAttribute() => Skip = MemcachedBinary.Find("curl") is null ? "No curl on PATH." : null;
    }
}
