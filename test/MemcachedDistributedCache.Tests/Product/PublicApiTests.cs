namespace MemcachedDistributedCache.Tests.Product;

public sealed class PublicApiTests
{
    private const int MostTypes = 25;

    [Fact]
    public void The_core_has_few_public_types() => Assert.InRange(typeof(MemcachedCache).Assembly.GetExportedTypes().Length, 1, MostTypes);
}
