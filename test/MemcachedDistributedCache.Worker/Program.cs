using System.Globalization;
using MemcachedDistributedCache.Worker;

// What a test needs a process of its own for. Exits with 0 when all went as it should, and says what did not.
return args switch
{
    ["starve", { } server] => StarvedPool.Run(server, caFile: null),
    ["starve", { } server, { } caFile] => StarvedPool.Run(server, caFile),
    ["stampede", { } servers, { } space, { } key, { } callers, { } file] => await Stampede.RunAsync(
        servers,
        space,
        key,
        int.Parse(callers, CultureInfo.InvariantCulture),
        file),
    ["limit", { } servers, { } space, { } attempts, { } milliseconds, { } way] => await LimitedCallers.RunAsync(
        servers,
        space,
        int.Parse(attempts, CultureInfo.InvariantCulture),
        int.Parse(milliseconds, CultureInfo.InvariantCulture),
        way == "blocking"),
    ["hold", { } servers, { } space, { } key] => await Stampede.HoldAsync(servers, space, key),
    ["count", { } servers, { } key, { } times] => await Counting.RunAsync(servers, key, int.Parse(times, CultureInfo.InvariantCulture)),
    ["locks", { } server, { } space, { } count, { } folder] => await LockUser.RunAsync(
        server,
        space,
        int.Parse(count, CultureInfo.InvariantCulture),
        folder),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine(
        "usage: starve <host:port> [<CA file>] | stampede <servers> <namespace> <key> <callers> <file> | hold <servers> <namespace> <key>"
            + " | count <servers> <key> <times> | locks <server> <namespace> <count> <folder>"
            + " | limit <servers> <namespace> <attempts> <milliseconds> blocking|async");
    return 64;
}
