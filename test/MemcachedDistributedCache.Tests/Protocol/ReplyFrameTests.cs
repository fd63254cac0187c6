using System.Text;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class ReplyFrameTests
{
    [Theory]
    [InlineData("", "Incomplete", -1)]
    [InlineData("\r", "Incomplete", -1)]
    [InlineData("HD O1", "Incomplete", -1)]
    [InlineData("HD O1\r", "Incomplete", -1)]
    [InlineData("\r\n", "Found", 0)]
    [InlineData("HD\r\n", "Found", 2)]
    [InlineData("HD\r\nHD\r\n", "Found", 2)]
    [InlineData("H\rD\r\n", "Found", 3)]
    [InlineData("\n", "Invalid", -1)]
    [InlineData("HD\n", "Invalid", -1)]
    [InlineData("\n\r\n", "Invalid", -1)]
    public void Finds_the_end(string text, string expected, int length)
    {
        ReplyFrame.Result result = ReplyFrame.TryFindLine(Encoding.ASCII.GetBytes(text), out int found);
        Assert.Equal(Enum.Parse<ReplyFrame.Result>(expected), result);
        if (result == ReplyFrame.Result.Found)
        {
            Assert.Equal(length, found);
        }
    }

    [Fact]
    public void A_line_may_be_as_long_as_the_bound_and_no_longer()
    {
        Assert.Equal(ReplyFrame.Result.Found, Find(new string('x', ReplyFrame.MaximumLineLength) + "\r\n"));
        Assert.Equal(ReplyFrame.Result.Invalid, Find(new string('x', ReplyFrame.MaximumLineLength + 1) + "\r\n"));
        Assert.Equal(ReplyFrame.Result.Incomplete, Find(new string('x', ReplyFrame.MaximumLineLength)));
        Assert.Equal(ReplyFrame.Result.Invalid, Find(new string('x', ReplyFrame.MaximumLineLength + 2)));
    }

    private static ReplyFrame.Result Find(string text) => ReplyFrame.TryFindLine(Encoding.ASCII.GetBytes(text), out _);
}
