using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Hybrid;

public sealed class UntimedLeasesTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly object _connection = new();

    private static byte[] Key => [.. "key"u8];

    [Fact]
    public void An_empty_item_is_nobodys_when_it_has_kept_its_state_for_longer_than_a_lease_may()
    {
        var leases = new UntimedLeases(TimeSpan.FromSeconds(13), _time);
        Assert.False(leases.IsNobodys(Key, new CasToken(5, _connection)));
        _time.Advance(TimeSpan.FromSeconds(13));
        Assert.False(leases.IsNobodys(Key, new CasToken(5, _connection)));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(leases.IsNobodys(Key, new CasToken(5, _connection)));
    }

    [Fact]
    public void A_lease_that_is_renewed_or_told_by_another_connection_is_new()
    {
        var leases = new UntimedLeases(TimeSpan.FromSeconds(13), _time);
        for (ulong cas = 5; cas < 2000; cas += 256) // all in one place
        {
            Assert.False(leases.IsNobodys(Key, new CasToken(cas, _connection)));
            _time.Advance(TimeSpan.FromSeconds(14));
        }

        Assert.False(leases.IsNobodys(Key, new CasToken(7, _connection)));
        _time.Advance(TimeSpan.FromSeconds(14));
        Assert.False(leases.IsNobodys(Key, new CasToken(7, new object())));
    }

    /// <summary>Behind one address of several engines two items may have one CAS.</summary>
    [Fact]
    public void The_lease_of_another_key_with_the_same_state_is_new()
    {
        var leases = new UntimedLeases(TimeSpan.FromSeconds(13), _time);
        Assert.False(leases.IsNobodys(Key, new CasToken(5, _connection)));
        _time.Advance(TimeSpan.FromSeconds(14));
        Assert.False(leases.IsNobodys([.. "other"u8], new CasToken(5, _connection)));
    }
}
