using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Tests.Product;

public sealed class PublicApiTests
{
    private const int MostTypes = 25;

    [Fact]
    public void TheCoreHasFewPublicTypes() => Assert.InRange(PublicSurface.TypesOf(typeof(MemcachedCache).Assembly).Count, 1, MostTypes);

    [Fact]
    public void TheSurfaceIsTheReviewedOne() => PublicSurface.IsTheReviewedOne(typeof(MemcachedCache).Assembly, typeof(PublicApiTests).Assembly);
}
