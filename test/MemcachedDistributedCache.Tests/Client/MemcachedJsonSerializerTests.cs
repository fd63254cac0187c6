using System.Buffers;
using System.Globalization;
using System.Text;

namespace MemcachedDistributedCache.Tests.Client;

public sealed class MemcachedJsonSerializerTests
{
    private static readonly MemcachedJsonSerializer Serializer = new(System.Text.Json.JsonSerializerOptions.Default);

    [Fact]
    public void Integers_are_digits_in_every_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        var swedish = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        swedish.NumberFormat.NegativeSign = "\u2212";
        try
        {
            CultureInfo.CurrentCulture = swedish;
            var writer = new ArrayBufferWriter<byte>();
            Assert.Equal(0u, Serializer.Serialize(long.MinValue, writer));
            Assert.Equal("-9223372036854775808", Encoding.ASCII.GetString(writer.WrittenSpan));
            Assert.True(Serializer.TryDeserialize(writer.WrittenMemory, 0, out long read));
            Assert.Equal(long.MinValue, read);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("1.5")]
    [InlineData("300")]
    [InlineData("-1")]
    [InlineData("1 2")]
    [InlineData("0x1")]
    public void What_is_no_byte_is_not_read_as_one(string text)
        => Assert.False(Serializer.TryDeserialize(Encoding.ASCII.GetBytes(text), 0, out byte _));

    [Fact]
    public void A_number_that_memcached_has_made_shorter_has_spaces_behind()
    {
        Assert.True(Serializer.TryDeserialize("9 "u8.ToArray(), 0, out int read));
        Assert.Equal(9, read);
    }
}
