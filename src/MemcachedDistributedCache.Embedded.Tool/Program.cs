using System.Net.Sockets;
using System.Net;
using System.Runtime.InteropServices;
using MemcachedDistributedCache.Embedded.Tool;
using MemcachedDistributedCache.Embedded;

const int UsageError = 64;
const int CannotListen = 71;
const string Version = "memcached-embedded 1.6.18-embedded";
const string Help = Version + """

    A memcached for development machines and tests; not for production.

    -l, --listen=<addr>[,<addr>]  addresses to listen on (default: 127.0.0.1)
    -p, --port=<num>              TCP port to listen on, 0 for any (default: 11211)
    -m, --memory-limit=<num>      item memory in megabytes (default: 64)
    -M, --disable-evictions       refuse to store when memory is full, instead of evicting
    -I, --max-item-size=<num>     largest item in bytes, or with suffix k or m (default: 1m)
    -c, --conn-limit=<num>        most simultaneous connections (default: 1024)
    -v, --verbose                 say where it listens, and when it stops
    -V, --version                 print the version and exit
    -h, --help                    print this help and exit
    -U 0, -u <user>, -t <num>, -b <num>   accepted, without effect
    """;

ToolArguments arguments;
try
{
    arguments = ToolArguments.Parse(args);
}
catch (UsageException e)
{
    return Fail(UsageError, e.Message);
}

if (arguments.ShowHelp || arguments.ShowVersion)
{
    Console.WriteLine(arguments.ShowHelp ? Help : Version);
    return 0;
}

var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
var servers = new List<EmbeddedMemcached>();
try
{
    foreach (IPAddress address in arguments.Addresses)
    {
        arguments.Options.Address = address;
        servers.Add(EmbeddedMemcached.Start(arguments.Options));
        if (arguments.Verbose || arguments.Options.Port == 0)
        {
            Console.WriteLine($"listening on {servers[^1].ConnectionString}");
        }
    }

    await stop.Task.ConfigureAwait(false);
}
catch (ArgumentException e)
{
    return Fail(UsageError, e.Message);
}
catch (SocketException e)
{
    return Fail(CannotListen, $"failed to listen on {arguments.Options.Address} port {arguments.Options.Port}: {e.Message}");
}
finally
{
    foreach (EmbeddedMemcached server in servers)
    {
        await server.DisposeAsync().ConfigureAwait(false);
    }
}

if (arguments.Verbose)
{
    Console.WriteLine("stopped");
}

return 0;

void Stop(PosixSignalContext context)
{
    // Without this the runtime would end the process before the sockets are closed.
    context.Cancel = true;
    stop.TrySetResult();
}

static int Fail(int code, string message)
{
    Console.Error.WriteLine($"memcached-embedded: {message}");
    return code;
}
