using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Embedded.Tool;

const int UsageError = 64;
const int CannotListen = 71;

// A response file, a value that begins with @, is nothing that memcached has.
ParseResult line = new ToolCommand("memcached-embedded 1.6.18-embedded", RunAsync).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
if (ToolCommand.MistakeIn(line) is { } mistake)
{
    return Fail(UsageError, mistake);
}

return await line.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = Timeout.InfiniteTimeSpan }).ConfigureAwait(false);

static async Task<int> RunAsync(IPAddress[] addresses, EmbeddedMemcachedOptions options, bool verbose, CancellationToken cancellationToken)
{
    var servers = new List<EmbeddedMemcached>();
    try
    {
        foreach (IPAddress address in addresses)
        {
            options.Address = address;
            servers.Add(EmbeddedMemcached.Start(options));
            if (verbose || options.Port == 0)
            {
                Console.WriteLine($"listening on {servers[^1].ConnectionString}");
            }
        }

        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
    catch (ArgumentException e)
    {
        return Fail(UsageError, e.Message);
    }
    catch (SocketException e)
    {
        return Fail(CannotListen, $"failed to listen on {options.Address} port {options.Port}: {e.Message}");
    }
    finally
    {
        foreach (EmbeddedMemcached server in servers)
        {
            await server.DisposeAsync().ConfigureAwait(false);
        }
    }

    if (verbose)
    {
        Console.WriteLine("stopped");
    }

    return 0;
}

static int Fail(int code, string message)
{
    Console.Error.WriteLine($"memcached-embedded: {message}");
    return code;
}
