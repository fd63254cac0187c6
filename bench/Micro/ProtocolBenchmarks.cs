using System.Buffers;
using BenchmarkDotNet.Attributes;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Micro;

/// <summary>Requests to bytes, reply lines to fields.</summary>
[MemoryDiagnoser]
public class ProtocolBenchmarks
{
    private readonly byte[] _key = "shop|session:0123456789abcdef0123456789abcdef"u8.ToArray();
    private readonly byte[] _value = new byte[1024];
    private readonly byte[] _destination = new byte[2048];
    private readonly byte[] _hit = "VA 1024 f0 t1199 O123456"u8.ToArray();
    private readonly byte[] _stored = "HD O123456"u8.ToArray();

    [Benchmark]
    public int WriteGet() => MetaRequests.WriteGet(_destination, WireKey.Of(_key), 123456);

    [Benchmark]
    public int WriteStore1K() => new StoreRequest(WireKey.Of(_key), default, new ReadOnlySequence<byte>(_value), 1201, 0).Write(_destination, 123456);

    [Benchmark]
    public bool ParseHit() => MetaReplyParser.TryParse(_hit, out _);

    [Benchmark]
    public bool ParseStored() => MetaReplyParser.TryParse(_stored, out _);
}

/// <summary>Client flags and the prefix of an entry.</summary>
[MemoryDiagnoser]
public class EntryFormatBenchmarks
{
    private readonly byte[] _room = new byte[8];
    private readonly uint[] _flags = new uint[256];
    private long _next;

    [GlobalSetup]
    public void Setup()
    {
        for (int i = 0; i < _flags.Length; i++)
        {
            _flags[i] = EntryFormat.ToFlags(hasDeadline: i % 3 == 0, slidingSeconds: i * 4000L);
        }
    }

    [Benchmark]
    public uint ToFlags() => EntryFormat.ToFlags(hasDeadline: true, slidingSeconds: _next++ & 0x1FFFFF);

    [Benchmark]
    public long TryRead() => EntryFormat.TryRead(_flags[(byte)_next++], out EntryFormat format) ? format.SlidingSeconds : 0;

    [Benchmark]
    public int WritePrefix() => EntryFormat.WritePrefix(_room, _next++)[7];
}
