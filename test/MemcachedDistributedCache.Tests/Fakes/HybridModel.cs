using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>A model of one memcached with states (CAS) and leases, for several clients.</summary>
internal sealed class HybridModel(ManualTimeProvider time) : IClusterNode
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (byte[] Data, uint Flags, DateTimeOffset Until, ulong Cas, bool IsToken)> _items = new(StringComparer.Ordinal);
    private ulong _cas;

    public ManualTimeProvider Time => time;

    public IEnumerable<string> Keys => _items.Keys;

    public OperationResult Lease(string key, int seconds, object origin)
    {
        lock (_lock)
        {
            if (Find(key) is not { } item)
            {
                Put(key, [], 0, seconds, isToken: true);
                return new OperationResult { Status = ResultStatus.Success, Lease = LeaseState.Won, Cas = _cas, Origin = origin, Value = [] };
            }

            return Describe(item, origin) with { Lease = item.IsToken ? LeaseState.Taken : LeaseState.None };
        }
    }

    public OperationResult Get(string key, object origin)
    {
        lock (_lock)
        {
            return Find(key) is { IsToken: false } item ? Describe(item, origin) : OperationResult.Of(ResultStatus.Miss);
        }
    }

    public OperationResult Store(string key, byte[] data, uint flags, int seconds, ulong? cas, bool onlyIfAbsent, object origin)
    {
        lock (_lock)
        {
            bool holds = Find(key) is { } item ? !onlyIfAbsent && (cas is null || cas == item.Cas) : cas is null;
            if (!holds)
            {
                return OperationResult.Of(ResultStatus.Conflict);
            }

            Put(key, data, flags, seconds, isToken: false);
            return new OperationResult { Status = ResultStatus.Success, Cas = _cas, Origin = origin };
        }
    }

    public OperationResult Delete(string key, ulong? cas)
    {
        lock (_lock)
        {
            if (Find(key) is not { } item)
            {
                return OperationResult.Of(ResultStatus.Miss);
            }

            if (cas is not null && cas != item.Cas)
            {
                return OperationResult.Of(ResultStatus.Conflict);
            }

            _items.Remove(key);
            return OperationResult.Of(ResultStatus.Success);
        }
    }

    private (byte[] Data, uint Flags, DateTimeOffset Until, ulong Cas, bool IsToken)? Find(string key)
        => _items.TryGetValue(key, out var item) && item.Until > time.GetUtcNow() ? item : null;

    private void Put(string key, byte[] data, uint flags, int seconds, bool isToken)
        => _items[key] = (
            data,
            flags,
            seconds > 30 * 86400 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : time.GetUtcNow().AddSeconds(seconds),
            ++_cas,
            isToken);

    private OperationResult Describe((byte[] Data, uint Flags, DateTimeOffset Until, ulong Cas, bool IsToken) item, object origin) => new()
    {
        Status = ResultStatus.Success,
        Value = item.Data,
        Length = item.Data.Length,
        Flags = item.Flags,
        Cas = item.Cas,
        Origin = origin,
        TimeToLive = (int)(item.Until - time.GetUtcNow()).TotalSeconds,
    };
}

/// <summary>One process's client of the model; it can be cut off, and its requests held up.</summary>
internal sealed class HybridModelClient(HybridModel model) : ICacheBackend, IClusterNode
{
    private static readonly OperationFailure Away = new(MemcachedFailureReason.Unavailable, new NodeCounters("mc1:11211"), WasSent: false);

    /// <summary>What stands for the connection; a new one is what a reconnection is.</summary>
    public object Origin { get; set; } = new();

    public bool IsAway { get; set; }

    /// <summary>What a request ends with instead of an answer, by its kind and key.</summary>
    public Func<string, string, OperationResult?>? Before { get; set; }

    /// <summary>Each request waits for it.</summary>
    public Func<string, string, Task>? Hold { get; set; }

    public List<(string Verb, string Key)> Calls { get; } = [];

    public bool IsDisposed => false;

    /// <summary>All have the model's items.</summary>
    public IReadOnlyList<IClusterNode> Nodes { get; set; } = [model];

    public IClusterNode NodeOf(ReadOnlySpan<byte> key) => Nodes.Count == 0 ? this : Nodes[0];

    public ValueTask<OperationResult> GetAsync(
        WireKey key,
        ReadRequirements needs,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken)
        => Run(
            (needs & (ReadRequirements.CasToken | ReadRequirements.InOrder)) != ReadRequirements.None ? "get" : "get unordered",
            key,
            name => model.Get(name, Origin));

    public ValueTask<OperationResult> GetFromAsync(IClusterNode? node, WireKey key, ReadRequirements needs)
        => GetAsync(key, needs, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);

    public ValueTask<OperationResult> LeaseAsync(
        WireKey key,
        int seconds,
        bool withValue,
        uint ownFlags,
        CancellationToken cancellationToken)
        => Run("lease", key, name => model.Lease(name, seconds, Origin));

    public ValueTask<OperationResult> InspectAsync(WireKey key, bool withCas, CallMode mode, CancellationToken cancellationToken)
        => Run("look", key, name => model.Get(name, Origin) with { Value = null });

    public ValueTask<OperationResult> StoreAsync(WireKey key, in Item item, CallMode mode, CancellationToken cancellationToken)
    {
        (byte[] data, uint flags, int seconds, CasToken? casToken, bool add) = (
            item.Value.ToArray(),
            item.Flags,
            item.TimeToLive,
            item.CasToken,
            item.OnlyIfAbsent);
        return Run(
            add ? "add"
                : casToken is null ? "set"
                : "cas",
            key,
            name =>
                casToken is { } held && held.Origin != Origin
                    ? OperationResult.Of(ResultStatus.Conflict)
                    : model.Store(name, data, flags, seconds, casToken?.Cas, add, Origin));
    }

    public ValueTask<OperationResult> StoreOnAsync(IClusterNode? node, WireKey key, in Item item)
        => StoreAsync(key, item, CallMode.Async, CancellationToken.None);

    public ValueTask<OperationResult> DeleteAsync(WireKey key, CallMode mode, CancellationToken cancellationToken)
        => Run("delete", key, name => model.Delete(name, null));

    public ValueTask<OperationResult> DeleteAsync(WireKey key, CasToken casToken, CancellationToken cancellationToken)
        => Run("discard", key, name => casToken.Origin != Origin ? OperationResult.Of(ResultStatus.Conflict) : model.Delete(name, casToken.Cas));

    public ValueTask<OperationResult> TouchAsync(WireKey key, int timeToLive, CallMode mode, CancellationToken cancellationToken)
        => throw new NotSupportedException();

    public void RecordUncertain(WireKey key, bool mayOvertakeRemoval)
        => throw new NotSupportedException("A change is recorded where it ends, below this interface.");

    public int Count(string verb, string key)
    {
        lock (Calls)
        {
            return Calls.Count(call => call.Verb == verb && call.Key == key);
        }
    }

    public int Count(string verb)
    {
        lock (Calls)
        {
            return Calls.Count(call => call.Verb == verb);
        }
    }

    private async ValueTask<OperationResult> Run(string verb, string name, Func<string, OperationResult> act)
    {
        lock (Calls)
        {
            Calls.Add((verb, name));
        }

        if (Hold?.Invoke(verb, name) is { } wait)
        {
            await wait;
        }

        return Before?.Invoke(verb, name) ?? (IsAway ? OperationResult.Failed(Away) : act(name));
    }

    private ValueTask<OperationResult> Run(string verb, ReadOnlySpan<byte> key, Func<string, OperationResult> act)
        => Run(verb, Encoding.UTF8.GetString(key), act);
}

/// <summary>A hybrid cache on the model.</summary>
internal sealed class HybridRig : IDisposable
{
    public HybridRig(
        HybridModel model,
        Action<MemcachedHybridCacheOptions>? configure = null,
        int maximumTags = 100_000,
        CacheTelemetry? telemetry = null,
        IServiceProvider? services = null)
    {
        Model = model;
        Client = new HybridModelClient(model);
        MemcachedHybridCacheOptions options = NewOptions();
        configure?.Invoke(options);
        Parts = new HybridParts(
            Client,
            new KeyEncoder(""),
            new HybridContext(options, model.Time, model.Time, Log) { MaximumKnownTags = maximumTags },
            services,
            telemetry);
    }

    /// <summary>The defaults, with small bounds and expirations that are not spread.</summary>
    public static MemcachedHybridCacheOptions NewOptions() => new() { MaximumLocalBytes = 1_000_000, MaximumLocalEntries = 1000, MaximumPayloadBytes = 1000, ExpirationJitter = 0 };

    public HybridModel Model { get; }

    public HybridModelClient Client { get; }

    public HybridParts Parts { get; }

    public RecordingLogger Log { get; } = new();

    public long this[HybridEvent what] => Parts.Context.Counters[what];

    public CallOptions Options(HybridCacheEntryOptions? options = null) => CallOptions.From(options, Parts.Context.Options);

    public Task<string> Get(string key, Func<CancellationToken, Task<string>> factory, params string[] tags) => Get(key, factory, CancellationToken.None, tags);

    public async Task<string> Get(string key, Func<CancellationToken, Task<string>> factory, CancellationToken cancellationToken, params string[] tags)
    {
        CallOptions options = Options();
        return Parts.Reader.TryGetLocal<string>(key, options, out string? here, out _)
            ? here
            : (await Parts.GetOrCreate.GetAsync(GetOrCreateRequest.Of(key, options, tags, ValueFactory.Of(factory, static (make, token) => new ValueTask<string>(make(token)))), cancellationToken)).Value;
    }

    /// <summary>The same with options and of any type, and where the value came from.</summary>
    public async Task<(T Value, MemcachedHybridSource Source)> Ask<T>(
        string key,
        Func<CancellationToken, Task<T>> factory,
        HybridCacheEntryOptions? options = null)
    {
        CallOptions call = Options(options);
        return Parts.Reader.TryGetLocal<T>(key, call, out T? here, out MemcachedHybridSource source)
            ? (here, source)
            : await Parts.GetOrCreate.GetAsync(
                GetOrCreateRequest.Of(key, call, [], ValueFactory.Of(factory, static (make, token) => new ValueTask<T>(make(token)))),
                CancellationToken.None);
    }

    public Task<string> Get(string key, string value, params string[] tags) => Get(key, _ => Task.FromResult(value), tags);

    /// <summary>What there is, or null.</summary>
    public async Task<string?> Peek(string key)
    {
        CallOptions options = Options(new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData });
        return Parts.Reader.TryGetLocal<string>(key, options, out string? here, out _)
            ? here
            : (await Parts.GetOrCreate.GetAsync(GetOrCreateRequest.Of(key, options, [], default(ValueFactory<int, string>)), CancellationToken.None)).Value;
    }

    public Task Set(string key, string value, params string[] tags) => Parts.Changes.SetAsync(key, value, Options(), tags);

    public void Pass(double seconds) => Model.Time.Advance(TimeSpan.FromSeconds(seconds));

    public void Dispose()
    {
        Parts.Dispose();
        Log.Dispose();
    }
}

/// <summary>Names a node, and is none.</summary>
internal sealed class FakeNode : IClusterNode;
