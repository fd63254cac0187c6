using System.Collections.Concurrent;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>A node whose server has small and large values.</summary>
internal sealed class LargeValueRig : IDisposable
{
    private static readonly string Body = new('x', LargeValues.MinimumLength);

    private readonly RecordingLogger _log = new();

    public ManualTimeProvider Time { get; } = new();

    /// <summary>How long values are, by their keys.</summary>
    public ConcurrentDictionary<string, int> Lengths { get; } = new(StringComparer.Ordinal) { ["big"] = LargeValues.MinimumLength, ["small"] = 5 };

    public void Dispose() => _log.Dispose();

    /// <summary>Reads until that connection takes it.</summary>
    public static Task UntilItServesAsync(ClusterClient client, FakeFactory factory, string key = "big", int number = 2)
        => Eventually.True(
            () =>
            {
                GetAsync(client, key).AsTask().Wait(Eventually.Limit);
                return factory.Opened.Count >= number && Reads(factory.Opened[number - 1], key) != 0;
            },
            "large values have a connection of their own");

    public static Task UntilItServesAsync(ClusterClient client, FakeFactory factory, int number) => UntilItServesAsync(client, factory, "big", number);

    public static ValueTask<OperationResult> GetAsync(ClusterClient client, string key)
        => client.GetAsync(System.Text.Encoding.ASCII.GetBytes(key), ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);

    public static int Reads(FakeTransport transport, string key)
        => transport.Sent.Split("\r\n").Count(line => line.StartsWith($"mg {key} v ", StringComparison.Ordinal));

    public static string KeyOf(uint slot)
        => Enumerable
            .Range('a', 26)
            .Select(static letter => ((char)letter).ToString())
            .First(key => HashRing.Hash(System.Text.Encoding.ASCII.GetBytes(key)) % 2 == slot);

    public async Task ReadAsync(ClusterClient client, string key)
    {
        OperationResult result = await GetAsync(client, key).AsTask().WaitAsync(Eventually.Limit);
        Assert.Equal((ResultStatus.Success, Lengths[key]), (result.Status, result.Length));
    }

    public async Task<ServerCluster> StartAsync(FakeFactory factory, int connections = 1, TimeSpan? idle = null)
    {
        ServerCluster cluster = ClusterRig.Start(factory, Time, _log, connections, idle: idle);
        await Eventually.True(() => cluster.Nodes[0].State == MemcachedNodeState.Up, "the node is up");
        return cluster;
    }

    public EntryStore Store(ClusterClient client) => new(
        new Backend.ClusterBackend(client),
        new EntryStoreSettings
        {
            Namespace = "",
            DefaultTimeToLive = TimeSpan.FromMinutes(20),
            MaximumValueBytes = int.MaxValue,
            OversizeBehavior = MemcachedOversizeBehavior.Throw,
            FailureMode = MemcachedFailureMode.Degrade,
        },
        retries: null,
        Time,
        Time,
        _log);

    public FakeFactory Factory(Func<int, Func<string, string?>, FakeTransport>? open = null)
        => new((Func<int, FakeTransport>)(attempt => open is null ? new FakeTransport { Answer = Answer } : open(attempt, Answer)));

    /// <summary>A server that has values of these lengths, and does whatever it is asked.</summary>
    public string Answer(string sent) => string.Concat(sent.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ') switch
    {
        ["mg", string key, ..] when !Lengths.ContainsKey(key) => $"EN {ClusterRig.TokenOf(line)}\r\n",
        ["mg", string key, .. string[] flags] => flags.Contains("v")
            ? $"VA {Lengths[key]} f0 t-1{(flags.Contains("c") ? " c7" : "")} {ClusterRig.TokenOf(line)}\r\n{Body[..Lengths[key]]}\r\n"
            : $"HD f0 t-1 {ClusterRig.TokenOf(line)}\r\n",
        ["ms", .. string[] flags] => $"HD{(flags.Contains("c") ? " c5" : "")} {ClusterRig.TokenOf(line)}\r\n",
        ["md" or "mt", ..] => $"HD {ClusterRig.TokenOf(line)}\r\n",
        ["mn"] => "MN\r\n",
        ["gets", string key] => Lengths.TryGetValue(key, out int length) ? $"VALUE {key} 0 {length} 7\r\n{Body[..length]}\r\nEND\r\n" : "END\r\n",
        ["touch", ..] => "TOUCHED\r\n",
        _ => "",
    }));
}
