using System.Diagnostics;
using System.Net;
using MemcachedDistributedCache.Embedded.Tests.Wire;

namespace MemcachedDistributedCache.Embedded.Tests.Server;

/// <summary>The command as a user runs it: a process of its own.</summary>
public sealed class ToolTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task It_serves_until_it_is_told_to_stop(string signal)
    {
        using Process tool = Start(
            ["-l", "127.0.0.1,127.0.0.2", "-p", "11211", "-p", "0", "-m", "128", "-I", "2m", "-M", "-c77", "-U", "0", "-u", "nobody", "-t", "4", "-vv"]);
        string first = (await tool.StandardOutput.ReadLineAsync().WaitAsync(Patience))!;
        string second = (await tool.StandardOutput.ReadLineAsync().WaitAsync(Patience))!;
        Assert.StartsWith("listening on 127.0.0.1:", first, StringComparison.Ordinal);
        Assert.StartsWith("listening on 127.0.0.2:", second, StringComparison.Ordinal);
        using (WireClient client = await WireClient.ConnectAsync(IPEndPoint.Parse(first["listening on ".Length..])))
        {
            string settings = await client.AskAsync("stats settings\r\n");
            Assert.Contains("STAT maxbytes 134217728\r\n", settings, StringComparison.Ordinal);
            Assert.Contains("STAT item_size_max 2097152\r\n", settings, StringComparison.Ordinal);
            Assert.Contains("STAT maxconns 77\r\n", settings, StringComparison.Ordinal);
            Assert.Contains("STAT evictions off\r\n", settings, StringComparison.Ordinal);
            Assert.Equal("STORED\r\n", await client.AskAsync("set a 0 0 1\r\nx\r\n"));
        }

        using (Process kill = Process.Start("/bin/kill", [$"-{signal}", tool.Id.ToString()]))
        {
            await kill.WaitForExitAsync().WaitAsync(Patience);
        }

        Assert.Equal("stopped", await tool.StandardOutput.ReadLineAsync().WaitAsync(Patience));
        await tool.WaitForExitAsync().WaitAsync(Patience);
        Assert.Equal(0, tool.ExitCode);
    }

    [Theory]
    [InlineData(64, "unrecognized option '--foo'", "--foo")]
    [InlineData(64, "unrecognized option '-Z'", "-Z")]
    [InlineData(64, "unrecognized option 'extra'", "extra")]
    [InlineData(64, "option '-p' takes a whole number from 0 to 65535, not 'abc'", "-p", "abc")]
    [InlineData(64, "option '--port' takes a whole number from 0 to 65535, not '65536'", "--port=65536")]
    [InlineData(64, "option '-p' takes a whole number from 0 to 65535, not 'abc'", "-p", "1", "-pabc")]
    [InlineData(64, "option '-p' needs a value", "-p")]
    [InlineData(64, "option '--user' needs a value", "--user")]
    [InlineData(64, "unrecognized option '@file'", "@file")]
    [InlineData(64, "unrecognized option '-?'", "-?")]
    [InlineData(64, "option '-U' takes a whole number that is 0, not '11211'", "-U", "11211")]
    [InlineData(64, "option '-I' takes a whole number", "-I", "1g")]
    [InlineData(64, "option '-l' takes IP addresses joined by commas, not 'nowhere'", "-l", "nowhere")]
    [InlineData(64, "option '-Y' cannot read its file", "-Y", "/nowhere/users")]
    [InlineData(64, "option '-Y' takes a file of lines 'user:password', which '/dev/null' is not", "-Y", "/dev/null")]
    [InlineData(64, "MaximumItemBytes is 10", "-I", "10")]
    [InlineData(64, "MemoryLimitBytes is 1048576", "-m", "1")]
    [InlineData(71, "failed to listen on 192.0.2.1 port 0", "-l", "192.0.2.1", "-p", "0")]
    public async Task A_bad_command_line_is_explained(int code, string message, params string[] arguments)
    {
        using Process tool = Start(arguments);
        string error = await tool.StandardError.ReadToEndAsync().WaitAsync(Patience);
        await tool.WaitForExitAsync().WaitAsync(Patience);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Equal(code, tool.ExitCode);
    }

    [Fact]
    public async Task It_asks_for_the_users_of_a_file()
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "shop:s3cr3t\nother:wo:rd");
        using Process tool = Start("-p", "0", "-Y", file);
        string first = (await tool.StandardOutput.ReadLineAsync().WaitAsync(Patience))!;
        using (WireClient client = await WireClient.ConnectAsync(IPEndPoint.Parse(first["listening on ".Length..])))
        {
            await client.SendAsync("version\r\n");
            Assert.Equal("CLIENT_ERROR unauthenticated\r\n", await client.ReadToAsync("\n"));
            await client.SendAsync("set a 0 0 11\r\nother wo:rd\r\n");
            Assert.Equal("STORED\r\n", await client.ReadToAsync("\n"));
        }

        tool.Kill();
        await tool.WaitForExitAsync().WaitAsync(Patience);
        File.Delete(file);
    }

    [Theory]
    [InlineData("-V", "memcached-embedded 1.6.18-embedded")]
    [InlineData("--version", "memcached-embedded 1.6.18-embedded")]
    [InlineData("-h", "-m, --memory-limit <num>")]
    [InlineData("--help", "[default: 11211]")]
    public async Task It_introduces_itself(string argument, string expected)
    {
        using Process tool = Start(argument);
        string text = await tool.StandardOutput.ReadToEndAsync().WaitAsync(Patience);
        await tool.WaitForExitAsync().WaitAsync(Patience);
        Assert.Contains(expected, text, StringComparison.Ordinal);
        Assert.Equal(0, tool.ExitCode);
    }

    private static Process Start(params string[] arguments)
    {
        string host = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var start = new ProcessStartInfo(host)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "memcached-embedded.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }
}
