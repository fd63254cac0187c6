using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>The judge of all other tests here must be able to convict.</summary>
public sealed class KeyLedgerTests
{
    private readonly KeyLedger _ledger = new(7);

    [Fact]
    public void What_was_written_last_is_legal_and_so_is_what_is_being_written()
    {
        Write(1);
        KeyLedger.Reading reading = _ledger.BeginRead();
        Assert.Equal(2, _ledger.Begin());
        Assert.Equal(ReadJudgement.Legal, Judge(reading, 1));
        Assert.Equal(ReadJudgement.Legal, Judge(reading, 2));
        Assert.Equal(ReadJudgement.Legal, _ledger.Judge(reading, null, out _));
    }

    [Fact]
    public void What_is_older_or_was_removed_is_not()
    {
        Write(1);
        Write(2);
        Assert.Equal(ReadJudgement.Stale, Judge(_ledger.BeginRead(), 1));
        _ledger.End(_ledger.Begin(), isRemoval: true);
        Assert.Equal(ReadJudgement.LostDelete, Judge(_ledger.BeginRead(), 2));
        Write(4);
        Assert.Equal(ReadJudgement.LostDelete, Judge(_ledger.BeginRead(), 2));
        Assert.Equal(ReadJudgement.Legal, Judge(_ledger.BeginRead(), 4));
    }

    [Fact]
    public void A_read_that_began_before_may_give_what_was_there_then()
    {
        Write(1);
        KeyLedger.Reading reading = _ledger.BeginRead();
        Write(2);
        Assert.Equal(ReadJudgement.Legal, Judge(reading, 1));
    }

    [Fact]
    public void A_cancelled_change_leaves_both()
    {
        Write(1);
        _ledger.Begin();
        Assert.Equal(ReadJudgement.Legal, Judge(_ledger.BeginRead(), 1));
        Assert.Equal(ReadJudgement.Legal, Judge(_ledger.BeginRead(), 2));
    }

    [Fact]
    public void What_nobody_wrote_is_wrong()
    {
        Write(1);
        KeyLedger.Reading reading = _ledger.BeginRead();
        Assert.Equal(ReadJudgement.Wrong, Judge(reading, 2));
        Assert.Equal(ReadJudgement.Wrong, _ledger.Judge(reading, KeyedValues.Create(8, 1, 10), out _));
        Assert.Equal(ReadJudgement.Wrong, _ledger.Judge(reading, [1, 2, 3], out _));
        byte[] spoilt = KeyedValues.Create(7, 1, 10);
        spoilt[^1] ^= 1;
        Assert.Equal(ReadJudgement.Wrong, _ledger.Judge(reading, spoilt, out _));
    }

    [Fact]
    public async Task An_allowance_ends()
    {
        var ledger = new KeyLedger(7, TimeSpan.FromMilliseconds(100));
        ledger.End(ledger.Begin(), isRemoval: false);
        ledger.End(ledger.Begin(), isRemoval: false);
        Assert.Equal(ReadJudgement.Legal, ledger.Judge(ledger.BeginRead(), KeyedValues.Create(7, 1, 10), out _));
        await Eventually.True(() => ledger.Judge(ledger.BeginRead(), KeyedValues.Create(7, 1, 10), out _) == ReadJudgement.Stale, "the allowance is over");
    }

    private void Write(int expected)
    {
        int change = _ledger.Begin();
        Assert.Equal(expected, change);
        _ledger.End(change, isRemoval: false);
    }

    private ReadJudgement Judge(KeyLedger.Reading reading, int version) => _ledger.Judge(reading, KeyedValues.Create(7, version, 10), out _);
}
