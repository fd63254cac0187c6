namespace MemcachedDistributedCache.Embedded.Tests;

public sealed class PublicApiTests
{
    [Fact]
    public void Everything_else_is_sealed_or_static()
        => Assert.DoesNotContain(typeof(EmbeddedMemcached).Assembly.GetTypes(), type => type is { IsClass: true, IsSealed: false }
            && type.Namespace?.StartsWith("MemcachedDistributedCache", StringComparison.Ordinal) == true);
}
