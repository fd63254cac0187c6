namespace MemcachedDistributedCache.AotSmoke;

/// <summary>What must hold; the first that does not ends the program.</summary>
internal static class Check
{
    public static void That(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvalidOperationException("Expected that " + what + ".");
        }
    }
}
