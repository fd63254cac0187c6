using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>A connection's owner that remembers what it is told.</summary>
internal sealed class FakeOwner : IConnectionOwner
{
    public NodeCounters Counters { get; } = new("mc1:11211");

    public LargeValues LargeValues { get; } = new();

    /// <summary>Items up to this CAS are not read; 0 for all are.</summary>
    public ulong Fence { get; set; }

    public long LastUncertainVersion { get; set; }

    /// <summary>The changes without a definite answer.</summary>
    public List<(string Key, bool MayOvertakeRemoval, long SettledBy)> Uncertain { get; } = [];

    public List<(string Key, long BegunAt, long Connection)> Settled { get; } = [];

    public List<ConnectionEnd> Ends { get; } = [];

    public bool Admits(ulong cas) => Fence == 0 || cas > Fence;

    public void RecordUncertain(ReadOnlySpan<byte> key, bool mayOvertakeRemoval, long settledBy)
    {
        lock (Uncertain)
        {
            Uncertain.Add((System.Text.Encoding.UTF8.GetString(key), mayOvertakeRemoval, settledBy));
            LastUncertainVersion++;
        }
    }

    public void Settle(ReadOnlySpan<byte> key, long begunAt, long connection)
    {
        lock (Settled)
        {
            Settled.Add((System.Text.Encoding.UTF8.GetString(key), begunAt, connection));
        }
    }

    public void OnOpened()
    {
    }

    public void OnEnding(ConnectionEnd end)
    {
    }

    public void OnEnded(ConnectionEnd end) => Ends.Add(end);
}
