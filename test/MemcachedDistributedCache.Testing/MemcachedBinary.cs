namespace MemcachedDistributedCache.Testing;

/// <summary>Finds the machine's memcached; tests that need it are skipped with a reason where there is none.</summary>
public static class MemcachedBinary
{
    private static readonly string? Found = Find("memcached");

    /// <summary>Why a test that needs memcached is skipped, or null where it can run.</summary>
    public static string? SkipReason
        => Found is null ? "No memcached on PATH: run ./test.sh, which installs it (Debian: apt-get install memcached)." : null;

    /// <summary>The full path of memcached.</summary>
    public static string Path => Found ?? throw new InvalidOperationException(SkipReason);

    /// <summary>The full path of a program on PATH, or null.</summary>
    public static string? Find(string program)
        => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/bin").Append("/usr/local/bin")
            .Select(folder => System.IO.Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
}

/// <summary>A fact that needs a real memcached, and says so when there is none.</summary>
public sealed class MemcachedFactAttribute : Xunit.FactAttribute
{
    public MemcachedFactAttribute() => Skip = MemcachedBinary.SkipReason;

    /// <summary>Why the test says nothing of servers that are asked by classic commands, and is skipped where all are.</summary>
    public string? MetaOnly
    {
        get => Skip;
        set => Skip ??= Caches.Protocol == MemcachedProtocol.Classic ? value : null;
    }
}

/// <summary>A theory that needs a real memcached, and says so when there is none.</summary>
public sealed class MemcachedTheoryAttribute : Xunit.TheoryAttribute
{
    public MemcachedTheoryAttribute() => Skip = MemcachedBinary.SkipReason;

    /// <summary>Why the test says nothing of servers that are asked by classic commands, and is skipped where all are.</summary>
    public string? MetaOnly
    {
        get => Skip;
        set => Skip ??= Caches.Protocol == MemcachedProtocol.Classic ? value : null;
    }
}
