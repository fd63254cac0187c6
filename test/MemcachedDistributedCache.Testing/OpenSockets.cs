namespace MemcachedDistributedCache.Testing;

/// <summary>The sockets of this process.</summary>
public static class OpenSockets
{
    /// <summary>How many are open now.</summary>
    public static int Count() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count(IsSocket);

    private static bool IsSocket(string descriptor)
    {
        try
        {
            return new FileInfo(descriptor).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true;
        }
        catch (IOException)
        {
            return false; // closed while we looked
        }
    }
}
