using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class ItemSizeTests
{
    [Theory]
    [InlineData(1048576, 1, 0u, 1048516)]
    [InlineData(1048576, 1, 1u, 1048512)]
    [InlineData(1048576, 250, 0u, 1048267)]
    [InlineData(1048576, 250, uint.MaxValue, 1048263)]
    [InlineData(60, 1, 0u, 0)]
    [InlineData(59, 1, 0u, -1)]
    [InlineData(1, 250, 1u, -312)]
    public void Leaves_room_for_header_key_and_flags(int itemSizeMax, int keyLength, uint flags, int expected)
        => Assert.Equal(expected, ItemSize.MaximumValueLength(itemSizeMax, keyLength, flags));
}
