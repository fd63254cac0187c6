using System.Buffers;
using System.ComponentModel;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>The small parts by themselves.</summary>
public sealed class PartsTests
{
    [Fact]
    public void Types_are_shared_that_cannot_be_changed()
    {
        Assert.True(ShareableTypes<string>.IsShareable);
        Assert.True(ShareableTypes<int>.IsShareable);
        Assert.True(ShareableTypes<int?>.IsShareable);
        Assert.True(ShareableTypes<Guid>.IsShareable);
        Assert.True(ShareableTypes<DateTimeOffset>.IsShareable);
        Assert.True(ShareableTypes<(int, double)>.IsShareable);
        Assert.True(ShareableTypes<Said>.IsShareable);
        Assert.True(ShareableTypes<SaidStruct>.IsShareable);
        Assert.True(ShareableTypes<SaidStruct?>.IsShareable);
        Assert.False(ShareableTypes<byte[]>.IsShareable);
        Assert.False(ShareableTypes<object>.IsShareable);
        Assert.False(ShareableTypes<NotSaid>.IsShareable);
        Assert.False(ShareableTypes<SaidOpen>.IsShareable);
        Assert.False(ShareableTypes<SaidNot>.IsShareable);
        Assert.False(ShareableTypes<(int, string)>.IsShareable);
        Assert.False(ShareableTypes<IReadOnlyList<int>>.IsShareable);
        Assert.False(ShareableTypes<List<int>>.IsShareable);
    }

    [Fact]
    public void An_entry_round_trips_and_nothing_else_is_one()
    {
        var model = new HybridModel(new ManualTimeProvider());
        using var rig = new HybridRig(model);
        byte[] wireKey = rig.Parts.Keys.Encode("key", HybridSpace.Entry);
        TagState[] states = rig.Parts.Tags.Resolve(["a", new string('x', 500), "c d"], wireKey);
        TagStamp[] stamps = rig.Parts.Tags.Capture(states);
        using var writer = new PooledWriter();
        int header = rig.Parts.Layout.WriteHeader(writer, stamps);
        writer.Write("payload"u8);
        EntryLayout.Complete(writer.Written.Span, PayloadKind.Utf8, 11, 22, 7);
        byte[] item = writer.Written.ToArray();
        CachedEntry read = rig.Parts.Layout.TryRead(item, wireKey, new CasToken(5, this))!;
        Assert.Equal((11L, 22L, PayloadKind.Utf8, 5ul), (read.CreatedAt, read.ExpiresAt, read.Kind, read.CasToken.Cas));
        Assert.Equal("payload"u8.ToArray(), read.Payload.ToArray());
        Assert.Equal(stamps, read.Tags);
        for (int length = 0; length < item.Length; length++)
        {
            Assert.Null(rig.Parts.Layout.TryRead(item[..length], wireKey, default));
        }

        Assert.Null(rig.Parts.Layout.TryRead([.. item, 0], wireKey, default));

        // Whatever single byte is wrong: it is refused or read, and nothing is thrown.
        for (int at = 0; at < header; at++)
        {
            foreach (byte wrong in (byte[])[0, 1, 127, 255])
            {
                byte[] spoiled = [.. item];
                spoiled[at] = wrong;
                _ = rig.Parts.Layout.TryRead(spoiled, wireKey, default);
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(10)]
    public async Task An_entry_of_a_time_that_cannot_be_is_made_anew(int at)
    {
        var model = new HybridModel(new ManualTimeProvider());
        using var one = new HybridRig(model);
        using var other = new HybridRig(model);
        foreach (long time in (long[])[long.MaxValue, long.MinValue, -1, 253_402_300_800_000])
        {
            await one.Set("key", "old");
            byte[] item = model.Get("#=key", this).Value!;
            System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(item.AsSpan(at), time);
            model.Store("#=key", item, EntryLayout.Flags, 100, null, false, this);
            other.Pass(2);
            Assert.Equal("new", await other.Get("key", "new"));
            one.Pass(2);
            Assert.Equal("new", await one.Get("key", "never"));
        }
    }

    [Theory]
    [InlineData(60, null, 10)] // the caller's again
    [InlineData(null, null, 10)]
    [InlineData(5, null, 5)] // both
    [InlineData(5, 2, 2)]
    [InlineData(60, 20, 20)]
    public void A_factory_that_takes_the_local_expiration_back_has_its_callers_or_that_which_it_has_chosen_for_both(int? expiration, int? local, int expected)
    {
        CallOptions options = CallOptions.From(
            new() { Expiration = TimeSpan.FromMinutes(60), LocalCacheExpiration = TimeSpan.FromMinutes(10) },
            HybridRig.NewOptions());
        HybridCacheEntryContext context = options.NewContext();
        context.Expiration = expiration is { } minutes ? TimeSpan.FromMinutes(minutes) : null;
        context.LocalCacheExpiration = local is { } localMinutes ? TimeSpan.FromMinutes(localMinutes) : null;
        CallOptions chosen = options.ChosenBy(context);
        Assert.Equal((expiration ?? 60, expected), (chosen.Expiration.TotalMinutes, chosen.LocalExpiration.TotalMinutes));
    }

    [Fact]
    public void A_writer_grows_to_its_limit_and_not_beyond()
    {
        using var writer = new PooledWriter { MaximumLength = 5000 };
        for (int i = 0; i < 50; i++)
        {
            writer.Write(new byte[100]);
        }

        Assert.Equal(5000, writer.Length);
        Assert.False(writer.IsOverLimit);
        Assert.Throws<InvalidOperationException>(() => writer.Write(new byte[1]));
        Assert.True(writer.IsOverLimit);
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Advance(-1));
        using var generous = new PooledWriter { MaximumLength = 10 };
        Assert.True(generous.GetSpan(50_000).Length >= 50_000);
        generous.Advance(10);
        using var greedy = new PooledWriter { MaximumLength = 10 };
        Assert.Throws<InvalidOperationException>(() => greedy.GetMemory(100_000_000));
        Assert.True(greedy.IsOverLimit);
    }

    [Fact]
    public void A_key_that_was_changed_takes_no_older_value()
    {
        using var local = new LocalCache(HybridRig.NewOptions(), new ManualTimeProvider());
        long version = local.VersionOf("key");
        Assert.True(local.TryPut("key", Entry(), version, TimeSpan.FromMinutes(1)));
        Assert.NotNull(local.Find("key"));
        long next = local.Invalidate("key");
        Assert.Null(local.Find("key"));
        Assert.False(local.TryPut("key", Entry(), version, TimeSpan.FromMinutes(1)));
        Assert.True(local.TryPut("key", Entry(), next, TimeSpan.FromMinutes(1)));
        local.Drop("key", Entry());
        Assert.NotNull(local.Find("key"));
        local.Drop("key", local.Find("key")!);
        Assert.Null(local.Find("key"));
        Assert.False(local.TryPut("key", Entry(), next, TimeSpan.Zero));
    }

    [Theory]
    [InlineData("")]
    [InlineData("shop")]
    public void Hybrid_keys_meet_no_other_key(string space)
    {
        var keys = new KeyEncoder(space);
        string[] texts = ["a", "=a", "#=a", "#@a", "a|b", "a b", new string('k', 300), "?", "*", "\ud800", new string('k', 44)];
        var seen = new HashSet<string>(StringComparer.Ordinal) { System.Text.Encoding.Latin1.GetString(keys.ProbeKey) };
        foreach (string text in texts)
        {
            Assert.True(seen.Add(System.Text.Encoding.Latin1.GetString(keys.Encode(text, new byte[250]))), text);
            foreach (HybridSpace kind in Enum.GetValues<HybridSpace>())
            {
                byte[] key = keys.Encode(text, kind);
                Assert.InRange(key.Length, 1, 250);
                Assert.False(key.AsSpan().ContainsAnyInRange((byte)0, (byte)' '));
                Assert.True(seen.Add(System.Text.Encoding.Latin1.GetString(key)), $"{text} {kind}");
            }
        }

        Assert.InRange(new KeyEncoder(new string('n', KeyEncoder.MaximumNamespaceLength)).Encode("a b", HybridSpace.Tag).Length, 1, 250);
        Assert.Equal(space.Length == 0 ? "#=a" : "shop|#=a", System.Text.Encoding.ASCII.GetString(keys.Encode("a", HybridSpace.Entry)));
    }

    [Fact]
    public void A_plain_read_takes_no_hybrid_item_for_an_entry()
        => Assert.All(Enum.GetValues<EntryKind>(), static kind =>
        {
            Assert.False(EntryFormat.TryRead(EntryFormat.FlagsOf(kind), out _));
            Assert.False(EntryFormat.HasPrefix(EntryFormat.FlagsOf(kind)));
        });

    [Fact]
    public async Task A_single_flight_ends_with_its_last_caller_and_not_before()
    {
        var table = new SingleFlightTable();
        SingleFlight<int> singleFlight = table
            .Enter<int>(
                new SingleFlightKey("key", HybridCacheEntryFlags.None, typeof(int)),
                default,
                mayEndEarly: false,
                CancellationToken.None)
            .SingleFlight;
        var work = new TaskCompletionSource<Outcome<int>>();
        singleFlight.Start(new Work(work.Task, table));
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        Task<Outcome<int>> one = singleFlight.WaitFirstAsync(first.Token);
        Assert.True(singleFlight.TryJoin());
        Task<Outcome<int>> other = singleFlight.WaitAsync(second.Token);
        await first.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        Assert.False(singleFlight.Token.IsCancellationRequested);
        await second.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other);
        await Eventually.True(() => singleFlight.Token.IsCancellationRequested, "the work is told");
        Assert.False(singleFlight.TryJoin());
        work.SetResult(new Outcome<int>(1, MemcachedHybridSource.Factory, null));
        await Eventually.True(() => table.Count == 0, "it is over");
    }

    private sealed class Work(Task<Outcome<int>> task, SingleFlightTable table) : ISingleFlightWork<int>
    {
        public Task<Outcome<int>> RunAsync(SingleFlight<int> singleFlight) => task;

        public void Ended(SingleFlight<int> singleFlight) => table.Leave(singleFlight);
    }

    private static CachedEntry Entry() => new() { Head = new EntryHead(0, 0, []), Kind = PayloadKind.Null, Size = 1 };

    [ImmutableObject(true)]
    private sealed record Said(string Text);

    [ImmutableObject(true)]
    private readonly record struct SaidStruct(string Text);

    private sealed record NotSaid(string Text);

#pragma warning disable CA1852 // That it can be derived from is the point.
    [ImmutableObject(true)]
    private record SaidOpen(string Text);
#pragma warning restore CA1852

    [ImmutableObject(false)]
    private sealed record SaidNot(string Text);
}
