using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>Half a million classic replies, many of them damaged, in pieces of random length.</summary>
public sealed class ClassicReplyFuzzTests
{
    private const int Replies = 500_000;
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
    /// Each request has a key of its own, and each value is filled with a byte of that key. An undamaged reply must give exactly that; a
    /// damaged one may break the stream or give its own operation something else, but never the bytes of another key.
    /// </summary>
    private sealed class Fuzzer(int seed)
    {
        private static readonly OperationResult Broken = OperationResult.Failed(
            new OperationFailure(MemcachedFailureReason.ConnectionLost, new NodeCounters("mc1:11211"), WasSent: true));

        private readonly Random _random = new(seed);
        private readonly FakeOwner _owner = new();
        private readonly List<byte> _stream = [];
        private readonly List<(ValueTask<OperationResult> Task, byte Fill, OperationKind Kind, bool IsDamaged)> _asked = [];
        private int _number;
        private int _intact;
        private int _violations;

        public void Run()
        {
            for (int done = 0; done < Replies; done += Round())
            {
            }

            Assert.True(_intact > Replies / 3, $"only {_intact} replies arrived");
            Assert.True(_violations > 1000, $"only {_violations} streams broke");
        }

        /// <summary>One connection's life: a batch of requests, their replies, its end.</summary>
        private int Round()
        {
            var queue = new PendingQueue();
            using var reader = new ReplyReader(queue, static flags => (flags & 1) != 0, _owner);
            reader.Begin(new Handshake(MemcachedProtocol.Classic));
            reader.MaximumValueLength = MaximumValueLength;
            _stream.Clear();
            _asked.Clear();
            int count = _random.Next(1, 64);
            for (int i = 0; i < count; i++)
            {
                Ask(queue);
            }

            bool broke = Feed(reader);
            reader.FailAll(static _ => Broken);
            Assert.Equal(0, queue.Count);
            Check(broke);
            _violations += broke ? 1 : 0;
            return count;
        }

        private void Ask(PendingQueue queue)
        {
            string name = "k" + ++_number;
            WireKey key = WireKey.Of(Encoding.ASCII.GetBytes(name));
            int start = _stream.Count;
            byte fill = (byte)_number;
            switch (_random.Next(10))
            {
                case 7:
                    Ask(queue, new FetchRequest(key, withValue: _random.Next(2) == 0, _random.Next(2) == 0 ? 60 : null), fill);
                    if (queue.Peek(queue.Count - 1)!.ExpectedParts.HasFlag(MemcachedDistributedCache.Protocol.Classic.ClassicParts.Line))
                    {
                        Put(_random.Next(2) == 0 ? "TOUCHED\r\n" : "NOT_FOUND\r\n");
                    }

                    PutItem(name, fill);
                    break;
                case 8:
                    Ask(queue, new IncrementRequest(key, new(false, 1, null, 1), recordsUncertain: false), fill);
                    Put(_random.Next(4) switch
                    {
                        0 => "NOT_FOUND\r\n",
                        1 => "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
                        _ => $"{_number}\r\n",
                    });
                    break;
                case 9:
                    Ask(queue, new PutRequest(key, StoreMode.Append, default, 10, 0), fill);
                    Put(_random.Next(2) == 0 ? "STORED\r\n" : "NOT_STORED\r\n");
                    break;
                case 0:
                    Ask(queue, new LeaseRequest(key, 10, withValue: true, 77), fill);
                    Put(_random.Next(2) == 0 ? "STORED\r\n" : "NOT_STORED\r\n");
                    PutItem(name, fill);
                    break;
                case 1:
                    Ask(queue, new KeyRequest(OperationKind.Touch, key, 10), fill);
                    Put(_random.Next(2) == 0 ? "TOUCHED\r\n" : "NOT_FOUND\r\n");
                    PutItem(name, fill);
                    break;
                case 2:
                    Ask(queue, new StoreRequest(key, default, default, 10, 77, new(5, false, _random.Next(2) == 0)), fill);
                    Put(_random.Next(8) == 0 ? "SERVER_ERROR object too large for cache\r\n" : "STORED\r\n");
                    if (queue.Peek(queue.Count - 1)!.ExpectedParts.HasFlag(MemcachedDistributedCache.Protocol.Classic.ClassicParts.Item))
                    {
                        PutItem(name, fill);
                    }

                    break;
                case 3:
                    Ask(queue, new KeyRequest(OperationKind.Delete, key), fill);
                    Put(_random.Next(20) == 0 ? "ERROR\r\n" : _random.Next(2) == 0 ? "DELETED\r\n" : "NOT_FOUND\r\n");
                    break;
                case 4:
                    Ask(queue, new KeyRequest(OperationKind.NoOp, default), fill);
                    Put(_random.Next(20) == 0 ? "SERVER_ERROR Connection refused\r\n" : "VERSION 1.5.22\r\n");
                    break;
                default:
                    Ask(queue, new KeyRequest(_random.Next(3) == 0 ? OperationKind.Inspect : OperationKind.Get, key), fill);
                    PutItem(name, fill);
                    break;
            }

            if (_random.Next(100) == 0)
            {
                Damage(start);
                _asked[^1] = _asked[^1] with { IsDamaged = true };
            }
        }

        private void Ask<TRequest>(PendingQueue queue, scoped in TRequest request, byte fill)
            where TRequest : struct, IRequest, allows ref struct
        {
            PendingOperation operation = PendingOperation.Rent(queue, request.Kind, ValueTarget.OwnArray, CallMode.Async, 0);
            operation.ChangedKey = request.ChangedKey;
            operation.Expect(request.Expectation);
            queue.Enqueue_NeedsLock(operation);
            _asked.Add((operation.AsValueTask(CancellationToken.None), fill, request.Kind, false));
        }

        private void PutItem(string key, byte fill)
        {
            if (_random.Next(3) == 0)
            {
                Put(_random.Next(20) == 0 ? "CLIENT_ERROR bad command line format\r\n" : "END\r\n");
                return;
            }

            int length = _random.Next(20) == 0 ? _random.Next(MaximumValueLength) : _random.Next(40);
            Put($"VALUE {key} {_random.Next(2)} {length} {_random.Next(1, 1000)}\r\n");
            _stream.AddRange(Enumerable.Repeat(fill, length));
            Put("\r\nEND\r\n");
        }

        private void Put(string text) => _stream.AddRange(Encoding.ASCII.GetBytes(text));

        private void Damage(int start)
        {
            int at = _random.Next(start, _stream.Count);
            switch (_random.Next(5))
            {
                case 0:
                    _stream[at] = (byte)_random.Next(256);
                    break;
                case 1:
                    _stream[at] ^= (byte)(1 << _random.Next(8));
                    break;
                case 2:
                    _stream.RemoveAt(at);
                    break;
                case 3:
                    _stream.Insert(at, (byte)"\r\n 0-9VALUENDk\0\u00ff"[_random.Next(16)]);
                    break;
                default:
                    _stream.RemoveRange(at, _stream.Count - at);
                    break;
            }
        }

        private bool Feed(ReplyReader reader)
        {
            byte[] bytes = [.. _stream];
            int mostAtOnce = _random.Next(4) switch { 0 => 1, 1 => 17, 2 => 700, _ => int.MaxValue };
            for (int at = 0; at < bytes.Length;)
            {
                Span<byte> room = reader.GetMemory().Span;
                Assert.False(room.IsEmpty);
                int most = Math.Min(Math.Min(mostAtOnce, room.Length), bytes.Length - at);
                int count = most == 1 ? 1 : _random.Next(1, most + 1);
                bytes.AsSpan(at, count).CopyTo(room);
                at += count;
                if (reader.Advance(count) is not null)
                {
                    return true;
                }
            }

            return false;
        }

        private void Check(bool broke)
        {
            bool anyDamageBefore = false;
            foreach ((ValueTask<OperationResult> task, byte fill, OperationKind kind, bool isDamaged) in _asked)
            {
                Assert.True(task.IsCompleted, $"{kind} never ended");
                OperationResult result = task.GetAwaiter().GetResult();
                anyDamageBefore |= isDamaged;
                Assert.True(
                    anyDamageBefore || result.Status != ResultStatus.Failed || result.Failure!.Reason == MemcachedFailureReason.ServerError,
                    $"{kind} failed before any damage, {(broke ? "" : "and the stream did not break")}");
                _intact += result.Status == ResultStatus.Failed ? 0 : 1;
                if (result.Value is { } value && !isDamaged)
                {
                    Assert.False(value.AsSpan().ContainsAnyExcept(fill), "bytes of another reply");
                }
            }
        }
    }
}
