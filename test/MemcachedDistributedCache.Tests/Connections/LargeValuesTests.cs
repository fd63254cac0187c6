using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

public sealed class LargeValuesTests
{
    private const int Large = LargeValues.MinimumLength;

    [Fact]
    public void What_was_large_at_the_last_read_is_known()
    {
        var values = new LargeValues();
        Assert.False(values.Contains(5));
        values.Note(5, Large - 1);
        Assert.False(values.Contains(5));
        values.Note(5, Large);
        Assert.True(values.Contains(5));
        values.Note(5, Large - 1);
        Assert.False(values.Contains(5));
    }

    [Fact]
    public void Nothing_is_there_that_was_not_noted()
    {
        var values = new LargeValues();
        values.Note(1_000_000, Large);
        for (uint hash = 0; hash < 100_000; hash++)
        {
            Assert.False(values.Contains(hash));
        }
    }

    [Fact]
    public void A_read_of_which_nothing_is_noted_leaves_all_as_it_is()
    {
        var values = new LargeValues();
        values.Note(0, Large);
        Assert.False(values.Contains(0));
        values.Note(1, Large);
        values.Note(0, 1);
        Assert.True(values.Contains(1));
    }

    [Fact]
    public void A_key_that_drives_another_out_takes_its_place_alone()
    {
        // Two that meet in one place, and a third beside them.
        const uint first = 0x1234_0006;
        const uint second = 0x8765_0006;
        var values = new LargeValues();
        values.Note(first, Large);
        values.Note(second, Large);
        values.Note(second + 2, Large);
        Assert.False(values.Contains(first));
        Assert.True(values.Contains(second));

        // A small one that meets it does not.
        values.Note(first, 1);
        Assert.True(values.Contains(second));
        Assert.True(values.Contains(second + 2));
    }

    [Fact]
    public void A_reply_tells_it_with_its_first_line()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> large = rig.Ask(readHash: 5);
        Assert.Null(rig.Feed($"VA {Large} f0 t-1 O1\r\n"));
        Assert.True(rig.LargeValues.Contains(5));
        Assert.Null(rig.Feed(new string('x', Large) + "\r\n"));
        Assert.Equal(Large, ReaderRig.Now(large).Length);

        ValueTask<OperationResult> small = rig.Ask(readHash: 5);
        Assert.Null(rig.Feed("VA 1 f0 t-1 O2\r\nx\r\n"));
        Assert.Equal(1, ReaderRig.Now(small).Length);
        Assert.False(rig.LargeValues.Contains(5));
    }

    [Fact]
    public void A_late_reply_tells_it_as_well()
    {
        using var rig = new ReaderRig();
        PendingOperation operation = rig.AskOperation(readHash: 5);
        Assert.True(operation.TryComplete(OperationResult.Of(ResultStatus.Canceled)));
        Assert.Null(rig.Feed($"VA {Large} f0 t-1 O1\r\n"));
        Assert.True(rig.LargeValues.Contains(5));
    }
}
