using System.Buffers.Binary;
using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>A model of one memcached: whole-second clock, client flags, relative and absolute times to live.</summary>
internal sealed class ModelClient(TimeProvider time) : ICacheBackend, IClusterNode
{
    private const int LargestRelative = 30 * 24 * 60 * 60;
    private readonly DateTimeOffset _start = time.GetUtcNow();

    public Dictionary<string, (byte[] Data, uint Flags, long ExpiresAt)> Items { get; } = new(StringComparer.Ordinal);

    public List<(OperationKind Kind, string Key, int TimeToLive)> Calls { get; } = [];

    /// <summary>Runs before an operation takes effect; its result, if any, stands for the operation's.</summary>
    public Func<OperationKind, OperationResult?>? Before { get; set; }

    /// <summary>Touches wait for it.</summary>
    public TaskCompletionSource? TouchesWait { get; set; }

    public bool IsDisposed { get; set; }

    /// <summary>How far into a second the server's clock is when the test begins.</summary>
    public TimeSpan Phase { get; set; }

    public int ItemLimit { get; set; } = 1_000_000;

    private long Tick => (long)Math.Floor((time.GetUtcNow() - _start + Phase).TotalSeconds);

    public int Count(OperationKind kind) => Calls.Count(call => call.Kind == kind);

    public ValueTask<OperationResult> GetAsync(WireKey key, ReadRequirements needs, ValueTarget target, CallMode mode, CancellationToken cancellationToken)
    {
        string name = Note(OperationKind.Get, key, 0);
        if (Before?.Invoke(OperationKind.Get) is { } result)
        {
            return new(result);
        }

        if (!TryFind(name, out (byte[] Data, uint Flags, long ExpiresAt) item))
        {
            return new(OperationResult.Of(ResultStatus.Miss));
        }

        int prefix = EntryFormat.HasPrefix(item.Flags) ? Math.Min(item.Data.Length, ValuePrefix.Length) : 0;
        int length = item.Data.Length - prefix;
        byte[] value = target == ValueTarget.PooledArray ? ValueArrays.Rent(length) : new byte[length];
        item.Data.AsSpan(prefix).CopyTo(value);
        bool whole = prefix is 0 or ValuePrefix.Length;
        return new(new OperationResult
        {
            Status = ResultStatus.Success,
            Flags = item.Flags,
            TimeToLive = TellsTimeToLive ? (int)(item.ExpiresAt - Tick) : OperationResult.UnknownTimeToLive,
            Cas = CasOf(item.Data),
            Value = value,
            Length = whole ? length : -1,
            Prefix = whole && prefix != 0 ? BinaryPrimitives.ReadInt64BigEndian(item.Data) : 0,
        });
    }

    public ValueTask<OperationResult> InspectAsync(WireKey key, bool withCas, CallMode mode, CancellationToken cancellationToken)
        => new(Describe(OperationKind.Inspect, key, 0));

    public async ValueTask<OperationResult> TouchWhenFree(string key, int timeToLive)
    {
        await TouchesWait!.Task;
        return Describe(OperationKind.Touch, Encoding.UTF8.GetBytes(key), timeToLive, note: false);
    }

    public ValueTask<OperationResult> TouchAsync(WireKey key, int timeToLive, CallMode mode, CancellationToken cancellationToken)
    {
        if (TouchesWait is not null && mode == CallMode.Async)
        {
            return TouchWhenFree(Note(OperationKind.Touch, key, timeToLive), timeToLive);
        }

        return new(Describe(OperationKind.Touch, key, timeToLive));
    }

    public ValueTask<OperationResult> StoreAsync(WireKey key, in Item item, CallMode mode, CancellationToken cancellationToken)
    {
        string name = Note(OperationKind.Store, key, item.TimeToLive);
        if (Before?.Invoke(OperationKind.Store) is { } result)
        {
            return new(result);
        }

        int limit = Math.Min(ItemLimit, item.MaximumLength) - item.Prefix.Length;
        if (item.Value.Length > limit)
        {
            return new(new OperationResult { Status = ResultStatus.TooLarge, Length = limit });
        }

        Items[name] = ([.. item.Prefix, .. item.Value.ToArray()], item.Flags, ExpiryOf(item.TimeToLive));
        return new(OperationResult.Of(ResultStatus.Success));
    }

    public ValueTask<OperationResult> DeleteAsync(WireKey key, CallMode mode, CancellationToken cancellationToken)
    {
        string name = Note(OperationKind.Delete, key, 0);
        return new(Before?.Invoke(OperationKind.Delete) ?? OperationResult.Of(Items.Remove(name) ? ResultStatus.Success : ResultStatus.Miss));
    }

    /// <summary>A server that is asked by classic commands does not.</summary>
    public bool TellsTimeToLive { get; set; } = true;

    /// <summary>A server that was started with <c>-C</c> does not.</summary>
    public bool CountsCas { get; set; } = true;

    /// <summary>Keys whose write ended without an answer.</summary>
    public List<string> Uncertain { get; } = [];

    public IReadOnlyList<IClusterNode> Nodes => [this];

    public IClusterNode NodeOf(ReadOnlySpan<byte> key) => this;

    public ValueTask<OperationResult> LeaseAsync(
        WireKey key,
        int seconds,
        bool withValue,
        uint ownFlags,
        CancellationToken cancellationToken)
        => throw new NotSupportedException("Plain caches take no leases.");

    public ValueTask<OperationResult> DeleteAsync(WireKey key, CasToken casToken, CancellationToken cancellationToken)
        => throw new NotSupportedException("Plain caches delete unconditionally.");

    public ValueTask<OperationResult> GetFromAsync(IClusterNode? node, WireKey key, ReadRequirements needs)
        => throw new NotSupportedException("Plain caches ask the key's node.");

    public ValueTask<OperationResult> StoreOnAsync(IClusterNode? node, WireKey key, in Item item)
        => throw new NotSupportedException("Plain caches store on the key's node.");

    public void RecordUncertain(WireKey key, bool mayOvertakeRemoval) => Uncertain.Add(Encoding.UTF8.GetString(key));

    /// <summary>Each store makes an array of its own, whose identity serves as the number of the item's state.</summary>
    private ulong CasOf(byte[] data) => !CountsCas ? 0 : (ulong)System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(data);

    private OperationResult Describe(OperationKind kind, ReadOnlySpan<byte> key, int timeToLive, bool note = true)
    {
        string name = note ? Note(kind, key, timeToLive) : Encoding.UTF8.GetString(key);
        if (Before?.Invoke(kind) is { } result)
        {
            return result;
        }

        if (!TryFind(name, out (byte[] Data, uint Flags, long ExpiresAt) item))
        {
            return OperationResult.Of(ResultStatus.Miss);
        }

        if (kind == OperationKind.Touch)
        {
            item.ExpiresAt = ExpiryOf(timeToLive);
            Items[name] = item;
        }

        int left = TellsTimeToLive ? (int)(item.ExpiresAt - Tick) : OperationResult.UnknownTimeToLive;
        return new OperationResult { Status = ResultStatus.Success, Flags = item.Flags, TimeToLive = left, Cas = CasOf(item.Data) };
    }

    private string Note(OperationKind kind, ReadOnlySpan<byte> key, int timeToLive)
    {
        Assert.InRange(key.Length, 1, 250);
        Assert.True(kind is not (OperationKind.Store or OperationKind.Touch) || timeToLive > 0, $"a time to live of {timeToLive}");
        string name = Encoding.UTF8.GetString(key);
        Calls.Add((kind, name, timeToLive));
        return name;
    }

    private bool TryFind(string name, out (byte[] Data, uint Flags, long ExpiresAt) item)
        => Items.TryGetValue(name, out item) && item.ExpiresAt > Tick;

    private long ExpiryOf(int timeToLive) => timeToLive <= LargestRelative
        ? Tick + timeToLive
        : timeToLive - _start.ToUnixTimeSeconds();
}
