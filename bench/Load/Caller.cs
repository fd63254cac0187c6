using System.Buffers.Binary;
using System.Diagnostics;

namespace MemcachedDistributedCache.Load;

/// <summary>The data of a row: values that tell by their first 8 bytes to which key they belong.</summary>
internal sealed class Workload
{
    private const int MaximumBytes = 32 * 1024 * 1024;

    public Workload(Verb verb, int size)
    {
        Verb = verb;
        Size = size;
        Values = new byte[Math.Clamp(MaximumBytes / size, 30, 9_999)][];
        for (int i = 0; i < Values.Length; i++)
        {
            Values[i] = new byte[size];
            new Random(i).NextBytes(Values[i]);
            BinaryPrimitives.WriteInt64LittleEndian(Values[i], i);
        }
    }

    /// <summary>What callers do.</summary>
    public Verb Verb { get; }

    /// <summary>The length of every value.</summary>
    public int Size { get; }

    /// <summary>The value of each key.</summary>
    public byte[][] Values { get; }

    /// <summary>Keys of 40 bytes, as session and page keys are.</summary>
    public string[] Keys(string mark) => [.. Enumerable.Range(0, Values.Length).Select(i => $"load:{mark}:".PadRight(30, '-') + i.ToString("D10"))];
}

/// <summary>One of the concurrent callers of a measurement: chooses keys, checks values, counts. Used by one operation at a time.</summary>
internal sealed class Caller(Workload workload, int number, StopFlag stop)
{
    private uint _random = (uint)(number + 1) * 2654435761;
    private int _turn = number;
    private long _started;

    /// <summary>How long operations took.</summary>
    public Histogram Latencies { get; } = new();

    /// <summary>Operations that ended.</summary>
    public long Operations { get; private set; }

    /// <summary>Operations that threw or missed.</summary>
    public long Errors { get; private set; }

    /// <summary>Reads that gave another value than was stored.</summary>
    public long Wrong { get; private set; }

    /// <summary>The first failure.</summary>
    public Exception? FirstError { get; private set; }

    /// <summary>Chooses the next operation; false when time is up.</summary>
    public bool Next(out int key, out bool isSet)
    {
        _random ^= _random << 13;
        _random ^= _random >> 17;
        _random ^= _random << 5;
        key = (int)(_random % (uint)workload.Values.Length);
        isSet = workload.Verb == Verb.Set || (workload.Verb == Verb.Mix && ++_turn % 10 == 0);
        _started = Stopwatch.GetTimestamp();
        return !Volatile.Read(ref stop.Value);
    }

    /// <summary>Checks a value that was read.</summary>
    public void Check(int key, ReadOnlySpan<byte> value, bool found)
    {
        if (!found)
        {
            Errors++;
        }
        else if (value.Length != workload.Size || BinaryPrimitives.ReadInt64LittleEndian(value) != key)
        {
            Wrong++;
        }
    }

    /// <summary>Notes a failure.</summary>
    public void Fail(Exception exception)
    {
        FirstError ??= exception;
        Errors++;
    }

    /// <summary>Ends the operation.</summary>
    public void Done()
    {
        Latencies.Add(Stopwatch.GetTimestamp() - _started);
        Operations++;
    }
}

/// <summary>A flag that all callers look at.</summary>
internal sealed class StopFlag
{
    /// <summary>Whether time is up.</summary>
    public bool Value;
}
