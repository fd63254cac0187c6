using MemcachedDistributedCache.Consistency;
using System.Buffers;
using System.Text.RegularExpressions;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>A write that a connection holds up may arrive after what other connections carried later.</summary>
public sealed partial class LateWriteTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task A_write_that_a_blocked_caller_gave_up_keeps_its_key_uncertain_until_it_cannot_come_any_more()
    {
        int removals = 0;
        var factory = new FakeFactory(_ => new FakeTransport
        {
            Answer = sent =>
            {
                // Stores are held up, and everything else is answered.
                string reply = string.Concat(Removal().Matches(sent).Select(static match => $"HD {match.Groups["token"].Value}\r\n"));
                Interlocked.Add(ref removals, reply.Length == 0 ? 0 : 1);
                return reply.Length != 0 ? reply : sent.EndsWith("mn\r\n", StringComparison.Ordinal) ? "MN\r\n" : null;
            },
        });
        using ServerCluster cluster = Cluster(factory);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        var settings = new EntryStoreSettings
        {
            Namespace = "",
            DefaultTimeToLive = TimeSpan.FromMinutes(20),
            MaximumValueBytes = int.MaxValue,
            OversizeBehavior = MemcachedOversizeBehavior.Throw,
            FailureMode = MemcachedFailureMode.Degrade,
        };
        var store = new EntryStore(new Backend.ClusterBackend(new ClusterClient(cluster)), settings, retries: null, _time, _time, _log);
        await store.SetAsync("key", new ReadOnlySequence<byte>([1]), new DistributedCacheEntryOptions(), CallMode.Sync, CancellationToken.None);
        Assert.Equal(1, node.Counters.Timeouts);
        Assert.Equal(0, Volatile.Read(ref removals)); // not while a retry could come, which would settle the key
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return Volatile.Read(ref removals) >= 1;
            },
            "the key is removed");
        for (int i = 0; i < 10; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(2);
            Assert.True(node.Consistency.Writes.Contains("key"u8), "the store may still come, and would be read");
        }

        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return node.Consistency.Writes.IsEmpty;
            },
            "the key is readable again");
        Assert.True(Volatile.Read(ref removals) >= 2, "it was removed once");
    }

    [Fact]
    public async Task A_connection_that_was_replaced_is_ended_with_the_node()
    {
        var factory = new FakeFactory();
        ServerCluster cluster = Cluster(factory);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        ValueTask<OperationResult> asked = new ClusterClient(cluster).GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
        node.Renew(static _ => true);
        await Eventually.True(() => factory.Opened.Count == 2, "another connection is open");
        cluster.Dispose();
        await Eventually.True(() => factory.Opened.All(static transport => transport.IsDisposed), "both are closed");
        Assert.Equal(ResultStatus.Failed, (await asked.AsTask().WaitAsync(Eventually.Limit)).Status);
    }

    [GeneratedRegex(@"^md \S+.* (?<token>O\d+)", RegexOptions.Multiline, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Removal();

    private ServerCluster Cluster(FakeFactory factory) => ClusterRig.Start(factory, _time, _log);
}
