using MemcachedDistributedCache.Worker;

// What a test needs a process of its own for. Exits with 0 when all went as it should, and says what did not.
return args switch
{
    ["starve", { } server] => StarvedPool.Run(server),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: starve <host:port>");
    return 64;
}
