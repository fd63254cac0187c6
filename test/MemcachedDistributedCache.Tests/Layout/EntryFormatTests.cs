using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;

namespace MemcachedDistributedCache.Tests.Layout;

public sealed class EntryFormatTests
{
    [Theory]
    [InlineData(false, 0, 0u)]
    [InlineData(true, 0, 0xC5800000u)]
    [InlineData(false, 1, 0xC5000001u)]
    [InlineData(false, 1200, 0xC50004B0u)]
    [InlineData(true, 65535, 0xC580FFFFu)]
    [InlineData(false, 65536, 0xC5018000u)]
    [InlineData(false, 65537, 0xC5018001u)]
    public void Flags_are_a_wire_contract(bool hasDeadline, long window, uint expected) => Assert.Equal(expected, EntryFormat.ToFlags(hasDeadline, window));

    [Fact]
    public void Windows_are_rounded_up_by_little()
    {
        foreach (long window in (long[])[1, 2, 59, 60, 65535, 65536, 65537, 131071, 131073, 1_000_001, 31_536_000, 315_360_000, 2_147_000_000])
        {
            foreach (bool hasDeadline in (bool[])[false, true])
            {
                Assert.True(EntryFormat.TryRead(EntryFormat.ToFlags(hasDeadline, window), out EntryFormat format));
                Assert.Equal(hasDeadline, format.HasDeadline);
                Assert.InRange(format.SlidingSeconds, window, window + (window / 32768) + 1);
            }
        }
    }

    [Fact]
    public void No_window_is_too_long_to_be_written()
    {
        foreach (long window in (long[])[2_147_483_648, 10_000_000_000, (long)TimeSpan.MaxValue.TotalSeconds])
        {
            Assert.True(EntryFormat.TryRead(EntryFormat.ToFlags(hasDeadline: false, window), out EntryFormat format), $"{window} s");
            Assert.False(format.HasDeadline);
            Assert.True(format.SlidingSeconds >= 2_000_000_000, $"{window} s became {format.SlidingSeconds}");
        }
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(0xC4000001u)]
    [InlineData(0xC6000001u)]
    [InlineData(0xC5100001u)]
    [InlineData(0xC5700000u)]
    [InlineData(uint.MaxValue)]
    public void Flags_of_others_are_refused(uint flags)
    {
        Assert.False(EntryFormat.TryRead(flags, out _));
        Assert.False(EntryFormat.HasPrefix(flags));
    }

    [Fact]
    public void A_prefix_is_a_big_endian_number()
        => Assert.Equal((byte[])[0, 0, 1, 2, 3, 4, 5, 6], EntryFormat.WritePrefix(new byte[8], 0x010203040506).ToArray());
}
