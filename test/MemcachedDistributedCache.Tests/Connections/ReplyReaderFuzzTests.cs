using System.Buffers.Text;
using CsCheck;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>A million replies, many of them damaged, in pieces of random length. A failure tells its seed and the smallest stream that failed.</summary>
public sealed class ReplyReaderFuzzTests
{
    private const int MostReplies = 63;
    private const int Replies = 1_000_000;
    private const int MaximumValueLength = 9000;

    private static readonly Gen<Damage?> Damages = Gen.Frequency(
        (99, Gen.Const((Damage?)null)),
        (1, Gen.Select(Gen.Int[0, 4], Gen.Int[0, 1 << 20], Gen.Byte, static Damage? (how, at, with) => new Damage(how, at, with))));

    private static readonly Gen<Reply> Answers = Gen.Select(
        Gen.Int[0, (int)OperationKind.NoOp - 1],
        Gen.Int[0, 23],
        Gen.Frequency((19, Gen.Int[0, 39]), (1, Gen.Int[0, MaximumValueLength - 1])),
        Gen.UInt[0, 1],
        Gen.UInt[0, 999],
        Damages,
        static (kind, form, length, flags, ttl, damage) => new Reply((OperationKind)kind, form, length, flags, ttl, damage));

    /// <summary>The opaque of the request before, often near the end of the numbers, where they begin anew.</summary>
    private static readonly Gen<uint> Befores = Gen.OneOf(Gen.UInt, Gen.UInt[uint.MaxValue - MostReplies, uint.MaxValue]);

    [Fact]
    public void No_stream_of_bytes_hangs_crashes_or_crosses_replies()
    {
        var streams = new Streams();
        Gen.Select(Answers.Array[1, MostReplies], Befores, Gen.OneOf(1, 17, 700, int.MaxValue), Gen.Int)
            .Sample(streams.Run, iter: Replies / ((MostReplies + 1) / 2), threads: 1);
        Assert.True(streams.Intact > Replies / 3, $"only {streams.Intact} replies arrived");
        Assert.True(streams.Violations > 1000, $"only {streams.Violations} streams broke");
    }

    /// <summary>What is asked, which of its answers comes, and what befalls the answer on its way.</summary>
    private sealed record Reply(OperationKind Kind, int Form, int Length, uint Flags, uint Ttl, Damage? Damage);

    private sealed record Damage(int How, int At, byte With);

    /// <summary>
    /// Each value is filled with bytes of its own opaque. An undamaged reply must give exactly that; a damaged one may break the
    /// stream or give its own operation something else, but never the bytes of another.
    /// </summary>
    private sealed class Streams
    {
        private static readonly OperationResult Broken = OperationResult.Failed(
            new OperationFailure(MemcachedFailureReason.ConnectionLost, new NodeCounters("mc1:11211"), WasSent: true));

        private readonly FakeOwner _owner = new();
        private readonly byte[] _digits = new byte[IncomingValue.LongestNumber];
        private readonly byte[] _stream = new byte[(MaximumValueLength + 200) * MostReplies];

        public int Intact { get; private set; }

        public int Violations { get; private set; }

        /// <summary>One connection's life: a batch of requests, their replies, its end.</summary>
        public void Run(Reply[] replies, uint before, int mostAtOnce, int cuts)
        {
            var queue = new PendingQueue();
            using var reader = new ReplyReader(queue, static flags => (flags & 1) != 0, _owner) { MaximumValueLength = MaximumValueLength };
            var asked = new ValueTask<OperationResult>[replies.Length];
            int length = 0;
            for (int i = 0; i < replies.Length; i++)
            {
                uint opaque = unchecked(before + 1 + (uint)i);
                PendingOperation operation = PendingOperation.Rent(queue, replies[i].Kind, ValueTarget.OwnArray, CallMode.Async, 0);
                operation.Sequence = opaque;
                queue.Enqueue_NeedsLock(operation);
                asked[i] = operation.AsValueTask(CancellationToken.None);
                int start = length;
                length = Write(replies[i], opaque, length);
                length = replies[i].Damage is { } damage ? Spoil(damage, start, length) : length;
            }

            bool broke = Feed(reader, length, mostAtOnce, new Random(cuts));
            reader.FailAll(static _ => Broken);
            Assert.Equal(0, queue.Count);
            Check(replies, asked, before, broke);
            Violations += broke ? 1 : 0;
        }

        private int Write(Reply reply, uint opaque, int at)
        {
            switch (reply.Kind)
            {
                case OperationKind.Increment when reply.Form % 3 != 0:
                    Utf8Formatter.TryFormat(opaque, _digits, out int digits);
                    at = PutNumber("VA "u8, (uint)digits, at);
                    at = PutNumber(" t"u8, reply.Ttl, at);
                    at = Put("\r\n"u8, PutNumber(" O"u8, opaque, at));
                    return Put("\r\n"u8, Put(_digits.AsSpan(0, digits), at));
                case OperationKind.Increment when reply.Form % 2 == 0:
                    return Put("CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"u8, at);
                case OperationKind.Get or OperationKind.Lease or OperationKind.Fetch when reply.Form % 3 != 0:
                    at = PutNumber("VA "u8, (uint)reply.Length, at);
                    at = PutNumber(" f"u8, reply.Flags, at);
                    at = PutNumber(" t"u8, reply.Ttl, at);
                    at = reply.Kind == OperationKind.Fetch ? PutNumber(" h1 l"u8, reply.Ttl, at) : at;
                    at = Put("\r\n"u8, PutNumber(" O"u8, opaque, at));
                    _stream.AsSpan(at, reply.Length).Fill((byte)opaque);
                    return Put("\r\n"u8, at + reply.Length);
                case OperationKind.Store when reply.Form % 8 == 0:
                    return Put("SERVER_ERROR object too large for cache\r\n"u8, at);
                default:
                    ReadOnlySpan<byte> code = reply.Kind switch
                    {
                        OperationKind.Get or OperationKind.Lease => "EN O"u8,
                        OperationKind.Inspect or OperationKind.Touch => "HD f3 t4 O"u8,
                        OperationKind.Fetch => reply.Form % 2 == 0 ? "EN O"u8 : "HD s5 f3 t4 c9 h0 l77 O"u8,
                        OperationKind.Store => "HD O"u8,
                        OperationKind.Put or OperationKind.Append when reply.Form % 2 == 0 => "HD c12 O"u8,
                        OperationKind.Put or OperationKind.Append => "NS c0 O"u8,
                        _ => "NF O"u8,
                    };
                    return Put("\r\n"u8, PutNumber(code, opaque, at));
            }
        }

        private int Spoil(Damage damage, int start, int end)
        {
            int at = start + (damage.At % (end - start));
            switch (damage.How)
            {
                case 0:
                    _stream[at] = damage.With;
                    return end;
                case 1:
                    _stream[at] ^= (byte)(1 << (damage.With % 8));
                    return end;
                case 2:
                    _stream.AsSpan(at + 1, end - at - 1).CopyTo(_stream.AsSpan(at));
                    return end - 1;
                case 3:
                    _stream.AsSpan(at, end - at).CopyTo(_stream.AsSpan(at + 1));
                    _stream[at] = (byte)"\r\n 0-9OVAfttX\0\u00ff"[damage.With % 15];
                    return end + 1;
                default:
                    return at;
            }
        }

        private bool Feed(ReplyReader reader, int length, int mostAtOnce, Random cuts)
        {
            for (int at = 0; at < length;)
            {
                Span<byte> room = reader.GetMemory().Span;
                Assert.False(room.IsEmpty);
                int most = Math.Min(Math.Min(mostAtOnce, room.Length), length - at);
                int count = most == 1 ? 1 : cuts.Next(1, most + 1);
                _stream.AsSpan(at, count).CopyTo(room);
                at += count;
                if (reader.Advance(count) is not null)
                {
                    return true;
                }
            }

            return false;
        }

        private void Check(Reply[] replies, ValueTask<OperationResult>[] asked, uint before, bool broke)
        {
            bool anyDamageBefore = false;
            for (int i = 0; i < asked.Length; i++)
            {
                uint opaque = unchecked(before + 1 + (uint)i);
                if (!asked[i].IsCompleted)
                {
                    Assert.Fail($"{replies[i].Kind} {opaque} never ended");
                }

                OperationResult result = asked[i].GetAwaiter().GetResult();
                bool isDamaged = replies[i].Damage is not null;
                anyDamageBefore |= isDamaged;
                if (!anyDamageBefore && result.Status == ResultStatus.Failed)
                {
                    Assert.Fail($"{replies[i].Kind} {opaque} failed before any damage{(broke ? "" : ", and the stream did not break")}");
                }

                Intact += result.Status == ResultStatus.Failed ? 0 : 1;
                if (replies[i].Kind == OperationKind.Increment && result.Status == ResultStatus.Success && !isDamaged && result.Number != opaque)
                {
                    Assert.Fail($"{opaque} got the number of another reply");
                }

                if (result.Value is { } value && !isDamaged && value.AsSpan().ContainsAnyExcept((byte)opaque))
                {
                    Assert.Fail($"{opaque} got bytes of another reply");
                }
            }
        }

        private int PutNumber(ReadOnlySpan<byte> before, uint number, int at)
        {
            at = Put(before, at);
            Utf8Formatter.TryFormat(number, _stream.AsSpan(at), out int written);
            return at + written;
        }

        private int Put(ReadOnlySpan<byte> bytes, int at)
        {
            bytes.CopyTo(_stream.AsSpan(at));
            return at + bytes.Length;
        }
    }
}
