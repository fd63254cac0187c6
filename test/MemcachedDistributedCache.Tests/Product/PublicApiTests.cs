using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Tests.Product;

public sealed class PublicApiTests
{
    private const int MostTypes = 25;

    [Fact]
    public void The_core_has_few_public_types() => Assert.InRange(PublicSurface.TypesOf(typeof(MemcachedCache).Assembly).Count, 1, MostTypes);

    [Fact]
    public void The_surface_is_the_reviewed_one() => PublicSurface.IsTheReviewedOne(typeof(PublicApiTests).Assembly, typeof(MemcachedCache).Assembly, typeof(MemcachedNodeState).Assembly);
}
