using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Distributed;

public sealed class SlidingWindowsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(0.999)]
    public async Task Reading_keeps_an_entry_alive_and_silence_does_not(double phase)
    {
        var rig = new StoreRig();
        rig.Client.Phase = TimeSpan.FromSeconds(phase);
        await rig.Set(StoreRig.Sliding(10));
        for (int i = 0; i < 20; i++)
        {
            rig.Pass(9.9);
            Assert.NotNull(await rig.Get());
        }

        rig.Pass(12.1);
        Assert.Null(await rig.Get());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_long_window_moves_by_the_systems_clock_while_the_applications_stands(bool refresh)
    {
        var io = new ManualTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var rig = new StoreRig(ioTime: io);
        await rig.Set(StoreRig.Sliding(40 * 86400));
        for (int i = 0; i < 3; i++)
        {
            io.Advance(TimeSpan.FromDays(30));
            if (refresh)
            {
                await rig.Refresh();
            }

            Assert.NotNull(await rig.Get());
        }

        io.Advance(TimeSpan.FromDays(41));
        Assert.Null(await rig.Get());
    }

    [Fact]
    public async Task A_read_sends_a_touch_only_once_a_second()
    {
        var rig = new StoreRig();
        await rig.Set(StoreRig.Sliding(10));
        for (int i = 0; i < 100; i++)
        {
            rig.Pass(0.1);
            Assert.NotNull(await rig.Get());
        }

        Assert.InRange(rig.Client.Count(OperationKind.Touch), 8, 11);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.999)]
    public async Task Where_no_time_to_live_is_told_a_read_sends_a_touch_only_once_a_second_and_none_is_lost(double phase)
    {
        var rig = new StoreRig();
        rig.Client.TellsTimeToLive = false;
        rig.Client.Phase = TimeSpan.FromSeconds(phase);
        await rig.Set(StoreRig.Sliding(10));
        for (int i = 0; i < 100; i++)
        {
            rig.Pass(0.1);
            Assert.NotNull(await rig.Get());
        }

        Assert.InRange(rig.Client.Count(OperationKind.Touch), 8, 11);

        // The last read was served by a touch of almost a second before.
        rig.Pass(9.9);
        Assert.NotNull(await rig.Get());
        await rig.Refresh();
        rig.Pass(0.9);
        Assert.NotNull(await rig.Get());
        rig.Pass(9.9);
        Assert.NotNull(await rig.Get());
        rig.Pass(13.1);
        Assert.Null(await rig.Get());
    }

    [Fact]
    public async Task Where_no_time_to_live_is_told_a_touch_serves_readers_of_the_same_item_alone()
    {
        var rig = new StoreRig();
        rig.Client.TellsTimeToLive = false;
        await rig.Set(StoreRig.Sliding(10));
        Assert.NotNull(await rig.Get());
        Assert.NotNull(await rig.Get());
        Assert.Equal(1, rig.Client.Count(OperationKind.Touch));
        await rig.Set(StoreRig.Sliding(10));
        Assert.NotNull(await rig.Get());
        Assert.Equal(2, rig.Client.Count(OperationKind.Touch));
    }

    [Fact]
    public async Task One_touch_per_key_is_under_way()
    {
        var rig = new StoreRig();
        await rig.Set(StoreRig.Sliding(10));
        rig.Pass(2);
        rig.Client.TouchesWait = new TaskCompletionSource();
        for (int i = 0; i < 10; i++)
        {
            Assert.NotNull(await rig.Get());
        }

        Assert.Equal(1, rig.Client.Count(OperationKind.Touch));
        rig.Client.TouchesWait.SetResult();
        rig.Client.TouchesWait = null;
        rig.Pass(2);
        for (int i = 0; i < 1000 && rig.Client.Count(OperationKind.Touch) < 2; i++)
        {
            // The touch that was let go ends on another thread.
            Assert.NotNull(await rig.Get());
            await Task.Delay(1);
        }

        Assert.Equal(2, rig.Client.Count(OperationKind.Touch));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(0.95)]
    public async Task Sliding_and_absolute_are_both_true(double phase)
    {
        // Read often enough for the window, an entry lives to its deadline and not a moment longer.
        for (double step = 0.35; step < 3; step += 0.1)
        {
            var rig = new StoreRig();
            rig.Client.Phase = TimeSpan.FromSeconds(phase);
            await rig.Set(StoreRig.Sliding(3, 5.9));
            double at = 0;
            while (at + step < 5.9)
            {
                rig.Pass(step);
                at += step;
                Assert.True(await rig.Get() is not null, $"read every {step:0.00} s, it was gone after {at:0.00} s");
            }

            rig.Pass(5.9 - at - 0.001);
            Assert.True(await rig.Get() is not null, $"read every {step:0.00} s, the last time at {at:0.00} s, it was gone before its deadline");
            rig.Pass(0.0011);
            Assert.Null(await rig.Get());
        }
    }

    [Fact]
    public async Task Refresh_moves_the_window_and_downloads_no_value()
    {
        var rig = new StoreRig();
        await rig.Set(StoreRig.Sliding(10));
        for (int i = 0; i < 5; i++)
        {
            rig.Pass(9.5);
            await rig.Refresh();
        }

        Assert.Equal(0, rig.Client.Count(OperationKind.Get));
        Assert.NotNull(await rig.Get());
    }

    [Fact]
    public async Task Refresh_leaves_other_entries_alone()
    {
        var rig = new StoreRig();
        await rig.Set(StoreRig.Absolute(10));
        await rig.Refresh();
        await rig.Set();
        await rig.Refresh();
        rig.Client.Items["key"] = (StoreRig.Value, 5, 1000);
        await rig.Refresh();
        await rig.Remove();
        await rig.Refresh();
        Assert.Equal(0, rig.Client.Count(OperationKind.Touch));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_touch_that_meets_another_entry_is_put_right(bool refresh)
    {
        foreach ((string what, Func<StoreRig, Task> store, double lives) in new (string, Func<StoreRig, Task>, double)[]
        {
            ("default", static r => r.Set(), 1200),
            ("absolute", static r => r.Set(StoreRig.Absolute(600)), 600),
            ("sliding", static r => r.Set(StoreRig.Sliding(900)), 900),
        })
        {
            var rig = new StoreRig();
            await rig.Set(StoreRig.Sliding(10));
            rig.Pass(5);
            bool stored = false;
            rig.Client.Before = kind =>
            {
                if (kind == OperationKind.Touch && !stored)
                {
                    stored = true;
                    store(rig).GetAwaiter().GetResult();
                }

                return null;
            };
            await (refresh ? rig.Refresh() : rig.Get());
            Assert.True(stored);
            rig.Pass(lives - 2);
            Assert.True(await rig.Get() is not null, $"the {what} entry died early");
        }
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)] // by its client flags the item is known as well
    public async Task Many_reads_in_a_second_touch_twice_at_most(bool tellsTimeToLive, bool countsCas)
    {
        var rig = new StoreRig();
        rig.Client.TellsTimeToLive = tellsTimeToLive;
        rig.Client.CountsCas = countsCas;
        await rig.Set(StoreRig.Sliding(10));
        for (int second = 1; second <= 5; second++)
        {
            rig.Pass(1);
            for (int i = 0; i < 20; i++)
            {
                Assert.NotNull(await rig.Get());
            }

            Assert.InRange(rig.Client.Count(OperationKind.Touch), second - 1, 2 * second);
        }

        // Another window is another entry, which nobody has touched yet.
        await rig.Set(StoreRig.Sliding(20));
        int before = rig.Client.Count(OperationKind.Touch);
        rig.Pass(tellsTimeToLive ? 1 : 0);
        await rig.Get();
        Assert.Equal(before + 1, rig.Client.Count(OperationKind.Touch));
    }

    [Fact]
    public async Task A_cancelled_refresh_puts_its_touch_right_all_the_same()
    {
        // The caller goes away after the touch was sent; another entry, stored between, must not keep the shorter life.
        using var caller = new CancellationTokenSource();
        var rig = new StoreRig();
        await rig.Set(StoreRig.Sliding(10));
        rig.Pass(5);
        bool once = false;
        rig.Client.Before = kind =>
        {
            if (kind != OperationKind.Touch || once)
            {
                return null;
            }

            once = true;
            rig.Set(StoreRig.Absolute(600)).GetAwaiter().GetResult();
            caller.Cancel();
            return null;
        };
        try
        {
            await rig.Refresh(caller.Token);
        }
        catch (OperationCanceledException)
        {
            // That is what the caller asked for.
        }

        rig.Pass(500);
        Assert.NotNull(await rig.Get());
    }

    [Fact]
    public void Many_keys_have_many_places_in_the_gate()
    {
        var gate = new TouchGate();
        long read = RequestSequence.FirstOf(RequestSequence.NextConnection());
        TouchGate.Touch? first = gate.TryEnter(5, read);
        Assert.NotNull(first);
        Assert.Null(gate.TryEnter(5, read + 1));
        Assert.NotNull(gate.TryEnter(5 + 2048, read)); // a key that shares the place may touch
        TouchGate.Touch? second = gate.TryEnter(5, read + 2);
        Assert.NotNull(second);
        TouchGate.Leave(second, read + 10);
        Assert.Null(gate.TryEnter(5, read + 9)); // the server saw the touch after this read
        Assert.NotNull(gate.TryEnter(5, read + 11));

        TouchGate.Touch failed = gate.TryEnter(7, read)!;
        TouchGate.Leave(failed, 0);
        Assert.NotNull(gate.TryEnter(7, read));

        TouchGate.Touch elsewhere = gate.TryEnter(9, read)!;
        TouchGate.Leave(elsewhere, RequestSequence.FirstOf(RequestSequence.NextConnection()) + 10);
        Assert.NotNull(gate.TryEnter(9, read)); // another connection's numbers say nothing
    }
}
