using BenchmarkDotNet.Attributes;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;

namespace MemcachedDistributedCache.Micro;

/// <summary>From the caller's string to the bytes on the wire.</summary>
[MemoryDiagnoser]
public class KeyBenchmarks
{
    private const string Plain = "session:0123456789abcdef0123456789abcdef";
    private const string Spaced = "session 0123456789abcdef0123456789abcdef";
    private readonly KeyEncoder _keys = new("shop");
    private readonly byte[] _buffer = new byte[250];

    [Benchmark(Baseline = true)]
    public int EncodePlain40() => _keys.Encode(Plain, _buffer).Length;

    [Benchmark]
    public int EncodeHashed40() => _keys.Encode(Spaced, _buffer).Length;
}

/// <summary>From the bytes of a key to its node.</summary>
[MemoryDiagnoser]
public class RingBenchmarks
{
    private readonly byte[] _key = "shop|session:0123456789abcdef0123456789abcdef"u8.ToArray();
    private readonly uint[] _hashes = new uint[1024];
    private HashRing _ring = null!;
    private int _next;

    [Params(3, 30, 300)]
    public int Nodes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _ring = new HashRing([.. Enumerable.Range(0, Nodes).Select(static i => ($"10.0.{i / 250}.{i % 250}:11211", 1))]);
        var random = new Random(1);
        for (int i = 0; i < _hashes.Length; i++)
        {
            _hashes[i] = (uint)random.NextInt64(uint.MaxValue);
        }
    }

    [Benchmark]
    public uint Hash() => HashRing.Hash(_key);

    /// <summary>Another hash each time, as the branch predictor meets them in life.</summary>
    [Benchmark]
    public int Find() => _ring.Find(_hashes[_next++ & 1023]);
}
