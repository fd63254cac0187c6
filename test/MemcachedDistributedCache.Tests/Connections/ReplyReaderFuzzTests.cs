using MemcachedDistributedCache.Tests.Fakes;
using System.Buffers.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>A million replies, many of them damaged, in pieces of random length.</summary>
public sealed class ReplyReaderFuzzTests
{
    private const int Replies = 1_000_000;
    private const int MaximumValueLength = 9000;

    [Fact]
    public void No_stream_of_bytes_hangs_crashes_or_crosses_replies()
    {
        int seed = Random.Shared.Next();
        try
        {
            new Fuzzer(seed).Run();
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"seed {seed}: {exception.Message}", exception);
        }
    }

    /// <summary>
    /// Each value is filled with bytes of its own opaque. An undamaged reply must give exactly that; a damaged one may break the
    /// stream or give its own operation something else, but never the bytes of another.
    /// </summary>
    private sealed class Fuzzer(int seed)
    {
        private static readonly OperationResult Broken = OperationResult.Failed(
            new OperationFailure(MemcachedFailureReason.ConnectionLost, new NodeCounters("mc1:11211"), WasSent: true));

        private readonly Random _random = new(seed);
        private readonly FakeOwner _owner = new();
        private readonly byte[] _stream = new byte[(MaximumValueLength + 200) * 64];
        private readonly (ValueTask<OperationResult> Task, uint Opaque, OperationKind Kind)[] _asked = new (
            ValueTask<OperationResult>,
            uint,
            OperationKind)[64];
        private readonly bool[] _damaged = new bool[64];
        private uint _opaque = unchecked((uint)-Replies / 2);
        private int _intact;
        private int _violations;

        public void Run()
        {
            int done = 0;
            while (done < Replies)
            {
                done += Round();
            }

            Assert.True(_intact > Replies / 3, $"only {_intact} replies arrived");
            Assert.True(_violations > 1000, $"only {_violations} streams broke");
        }

        /// <summary>One connection's life: a batch of requests, their replies, its end.</summary>
        private int Round()
        {
            var queue = new PendingQueue();
            using var reader = new ReplyReader(queue, static flags => (flags & 1) != 0, _owner) { MaximumValueLength = MaximumValueLength };
            int count = _random.Next(1, _asked.Length);
            int length = 0;
            for (int i = 0; i < count; i++)
            {
                length = Ask(queue, i, length);
            }

            bool broke = Feed(reader, length);
            reader.FailAll(static _ => Broken);
            Assert.Equal(0, queue.Count);
            Check(count, broke);
            _violations += broke ? 1 : 0;
            return count;
        }

        private int Ask(PendingQueue queue, int index, int length)
        {
            var kind = (OperationKind)_random.Next((int)OperationKind.NoOp);
            PendingOperation operation = PendingOperation.Rent(queue, kind, ValueTarget.OwnArray, CallMode.Async, 0);
            operation.Sequence = ++_opaque;
            queue.Enqueue_NeedsLock(operation);
            _asked[index] = (operation.AsValueTask(CancellationToken.None), _opaque, kind);
            int start = length;
            length = WriteReply(kind, _opaque, length);
            _damaged[index] = _random.Next(100) == 0;
            return _damaged[index] ? Damage(start, length) : length;
        }

        private int WriteReply(OperationKind kind, uint opaque, int at)
        {
            switch (kind)
            {
                case OperationKind.NoOp:
                    return Put("MN\r\n"u8, at);
                case OperationKind.Get or OperationKind.Lease when _random.Next(3) != 0:
                    int length = _random.Next(20) == 0 ? _random.Next(MaximumValueLength) : _random.Next(40);
                    at = PutNumber("VA "u8, (uint)length, at);
                    at = PutNumber(" f"u8, (uint)_random.Next(2), at);
                    at = PutNumber(" t"u8, (uint)_random.Next(1000), at);
                    at = Put("\r\n"u8, PutNumber(" O"u8, opaque, at));
                    _stream.AsSpan(at, length).Fill((byte)opaque);
                    return Put("\r\n"u8, at + length);
                case OperationKind.Store when _random.Next(8) == 0:
                    return Put("SERVER_ERROR object too large for cache\r\n"u8, at);
                default:
                    ReadOnlySpan<byte> code = kind switch
                    {
                        OperationKind.Get or OperationKind.Lease => "EN O"u8,
                        OperationKind.Inspect or OperationKind.Touch => "HD f3 t4 O"u8,
                        OperationKind.Store => "HD O"u8,
                        _ => "NF O"u8,
                    };
                    return Put("\r\n"u8, PutNumber(code, opaque, at));
            }
        }

        private int Damage(int start, int end)
        {
            int at = _random.Next(start, end);
            switch (_random.Next(5))
            {
                case 0:
                    _stream[at] = (byte)_random.Next(256);
                    return end;
                case 1:
                    _stream[at] ^= (byte)(1 << _random.Next(8));
                    return end;
                case 2:
                    _stream.AsSpan(at + 1, end - at - 1).CopyTo(_stream.AsSpan(at));
                    return end - 1;
                case 3:
                    _stream.AsSpan(at, end - at).CopyTo(_stream.AsSpan(at + 1));
                    _stream[at] = (byte)"\r\n 0-9OVAfttX\0\u00ff"[_random.Next(15)];
                    return end + 1;
                default:
                    return at;
            }
        }

        private bool Feed(ReplyReader reader, int length)
        {
            int mostAtOnce = _random.Next(4) switch { 0 => 1, 1 => 17, 2 => 700, _ => int.MaxValue };
            for (int at = 0; at < length;)
            {
                Span<byte> room = reader.GetMemory().Span;
                Assert.False(room.IsEmpty);
                int most = Math.Min(Math.Min(mostAtOnce, room.Length), length - at);
                int count = most == 1 ? 1 : _random.Next(1, most + 1);
                _stream.AsSpan(at, count).CopyTo(room);
                at += count;
                if (reader.Advance(count) is not null)
                {
                    return true;
                }
            }

            return false;
        }

        private void Check(int count, bool broke)
        {
            bool anyDamageBefore = false;
            for (int i = 0; i < count; i++)
            {
                (ValueTask<OperationResult> task, uint opaque, OperationKind kind) = _asked[i];
                if (!task.IsCompleted)
                {
                    Assert.Fail($"{kind} {opaque} never ended");
                }

                OperationResult result = task.GetAwaiter().GetResult();
                anyDamageBefore |= _damaged[i];
                if (!anyDamageBefore && result.Status == ResultStatus.Failed)
                {
                    Assert.Fail($"{kind} {opaque} failed before any damage{(broke ? "" : ", and the stream did not break")}");
                }

                _intact += result.Status == ResultStatus.Failed ? 0 : 1;
                if (result.Value is { } value && !_damaged[i] && value.AsSpan().ContainsAnyExcept((byte)opaque))
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
