namespace MemcachedDistributedCache.Embedded.Tests;

public sealed class PublicApiTests
{
    [Fact]
    public void The_public_surface_is_these_types_and_no_more()
        => Assert.Equal(
            [
                "EmbeddedMemcached", "EmbeddedMemcachedNode", "EmbeddedMemcachedOptions", "EmbeddedMemcachedServiceCollectionExtensions",
                "Fault", "FaultProxy", "StreamFault",
            ],
            typeof(EmbeddedMemcached).Assembly.GetExportedTypes().Select(type => type.Name).Order(StringComparer.Ordinal));

    [Fact]
    public void Everything_else_is_sealed_or_static()
        => Assert.DoesNotContain(typeof(EmbeddedMemcached).Assembly.GetTypes(), type => type is { IsClass: true, IsSealed: false }
            && type.Namespace?.StartsWith("MemcachedDistributedCache", StringComparison.Ordinal) == true);
}
