using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>Values larger than what is taken at once, and such as nobody waits for.</summary>
public sealed class IncomingValueTests
{
    private const int Piece = 64 * 1024;

    [Theory]
    [InlineData(IncomingValue.TakenAtOnce, 0u, false)]
    [InlineData(IncomingValue.TakenAtOnce + 1, 0u, false)]
    [InlineData(IncomingValue.TakenAtOnce + 1, 0u, true)]
    [InlineData((IncomingValue.TakenAtOnce * 2) + 4095, 0u, false)]
    [InlineData((IncomingValue.TakenAtOnce * 4) + 12345, 7u, false)]
    [InlineData((IncomingValue.TakenAtOnce * 4) + 12345, 7u, true)]
    public void A_large_value_is_the_same_however_it_comes(int length, uint flags, bool pooled)
    {
        byte[] value = new byte[length];
        new Random(length).NextBytes(value);
        foreach (int step in (int[])[1000, Piece, int.MaxValue])
        {
            using var rig = new ReaderRig();
            ValueTask<OperationResult> task = rig.Ask(target: pooled ? ValueTarget.PooledArray : ValueTarget.OwnArray);
            ValueTask<OperationResult> next = rig.Ask();
            Assert.Null(rig.Feed([.. System.Text.Encoding.ASCII.GetBytes($"VA {length} f{flags} t1 O1\r\n"), .. value, .. "\r\nEN O2\r\n"u8], step));
            OperationResult result = ReaderRig.Now(task);
            int prefix = flags == ReaderRig.Prefixed ? 8 : 0;
            Assert.Equal(length - prefix, result.Length);
            Assert.True(result.Value.AsSpan(0, result.Length).SequenceEqual(value.AsSpan(prefix)));
            Assert.True(pooled || result.Value!.Length == result.Length);
            Assert.Equal(ResultStatus.Miss, ReaderRig.Now(next).Status);
        }
    }

    [Fact]
    public void A_header_takes_no_memory_for_what_has_not_come()
    {
        using var rig = new ReaderRig();
        _ = rig.AskOperation();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Null(rig.Feed("VA 1000000000 f0 t1 O1\r\n"));
        byte[] piece = new byte[Piece];
        for (int i = 0; i < 2 * IncomingValue.TakenAtOnce / Piece; i++)
        {
            Assert.Null(rig.Feed(piece));
        }

        // Eight million bytes have come: an array of eight and one of four were taken for them, and the one that the next byte goes to.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8L * IncomingValue.TakenAtOnce);
    }

    [Fact]
    public void A_value_whose_caller_has_left_lets_go_of_its_array_and_is_read_over()
    {
        using var rig = new ReaderRig();
        using var leaving = new CancellationTokenSource();
        ValueTask<OperationResult> task = rig.Ask(cancellationToken: leaving.Token);
        ValueTask<OperationResult> next = rig.Ask();
        int length = IncomingValue.TakenAtOnce + Piece;
        Assert.Null(rig.Feed($"VA {length} f0 t1 O1\r\n"));
        Assert.Null(rig.Feed(new byte[Piece]));
        Assert.True(rig.Reader.GetMemory().Length > Piece, "straight into the array");
        leaving.Cancel();
        Assert.Equal(ResultStatus.Canceled, ReaderRig.Now(task).Status);
        Assert.InRange(rig.Reader.GetMemory().Length, 1, Piece);
        Assert.Null(rig.Feed([.. new byte[length - Piece], .. "\r\nVA 1 f0 t1 O2\r\nx\r\n"u8]));
        Assert.Equal("x"u8.ToArray(), ReaderRig.Now(next).Value);
        Assert.Equal(1, rig.Reader.Dropped);
    }

    [Theory]
    [InlineData("Get", 1000, true)]
    [InlineData("Get", 1001, false)]
    [InlineData("Lease", 1001, false)]
    public void A_value_larger_than_any_of_ours_is_a_miss_and_takes_no_memory(string kind, int length, bool isKept)
    {
        using var rig = new ReaderRig(largestKept: 1000);
        ValueTask<OperationResult> task = rig.Ask(Enum.Parse<OperationKind>(kind));
        ValueTask<OperationResult> next = rig.Ask();
        Assert.Null(rig.Feed($"VA {length} f0 t1 c9 O1\r\n{new string('x', length)}\r\n"));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal(isKept ? length : null, result.Value?.Length);
        Assert.Equal(isKept || kind == "Lease" ? ResultStatus.Success : ResultStatus.Miss, result.Status);
        Assert.Equal(isKept ? (1L, 0L) : (0L, 1L), (rig.Counters.Hits, rig.Counters.Misses));
        if (kind == "Lease")
        {
            // It can be replaced by whoever makes the value.
            Assert.Equal((9ul, -1), (result.Cas, result.Length));
        }

        Assert.Null(rig.Feed("VA 1 f0 t1 O2\r\nx\r\n"));
        Assert.Equal("x"u8.ToArray(), ReaderRig.Now(next).Value);
    }
}
