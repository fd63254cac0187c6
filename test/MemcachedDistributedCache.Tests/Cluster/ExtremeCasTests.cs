using MemcachedDistributedCache.Consistency;
using System.Globalization;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>Numbers of items' states that no server comes to by counting, which any client can give an item.</summary>
public sealed class ExtremeCasTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly Queue<string> _counts = [];
    private string _itemCas = "18446744073709551615";
    private int _probes;

    [Fact]
    public async Task An_item_with_the_largest_CAS_is_read_replaced_and_removed_and_breaks_nothing()
    {
        using ServerCluster cluster = ClusterRig.Start(Factory(), _time, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        var client = new ClusterClient(cluster);
        await Eventually.True(() => cluster.Nodes[0].State == MemcachedNodeState.Up, "the node is up");
        OperationResult read = await client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None, ReadRequirements.CasToken);
        Assert.Equal((ResultStatus.Success, ulong.MaxValue), (read.Status, read.Cas));
        Assert.Equal(ResultStatus.Success, (await client.DeleteAsync("key"u8, read.CasToken, CancellationToken.None)).Status);
        Assert.Equal(0, cluster.Nodes[0].Counters.Errors);
    }

    [Fact]
    public async Task A_count_that_no_server_comes_to_is_no_fence_and_is_asked_for_again()
    {
        _counts.Enqueue("18446744073709551615");
        _counts.Enqueue("9223372036854775808");
        using ServerCluster cluster = ClusterRig.Start(Factory(), _time, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        var fence = new CasFence();
        node.Consistency.Fences.Renew(fence);
        await Until(() => fence.Admits(102) && !fence.Admits(101), "the fence is one that items can pass");
        Assert.Equal(3, Volatile.Read(ref _probes));

        lock (_counts)
        {
            _counts.Enqueue("18446744073709551615");
        }

        node.Consistency.MarkAll();
        await Until(() => !node.Consistency.Writes.AreAllUncertain, "the node is read again");
        Assert.Equal(101ul, node.Consistency.Fences.WholeNode.Value);

        // A planted number lies above every fence: what it stands under is a stranger's, and was so before.
        _itemCas = "18446744073709551615";
        Assert.Equal(
            ResultStatus.Success,
            (await new ClusterClient(cluster).GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None)).Status);
        Assert.Equal(101ul, node.Consistency.Fences.WholeNode.Value);
        Assert.True(fence.Admits(102));
    }

    private FakeFactory Factory() => new((Func<int, FakeTransport>)(_ => new FakeTransport { Handshake = FakeTransport.Modern, Answer = Answer }));

    private string? Answer(string sent)
    {
        string token = sent.StartsWith("mn", StringComparison.Ordinal) ? "" : ClusterRig.TokenOf(sent);
        return sent[..2] switch
        {
            "mg" => $"VA 1 f0 t100 c{_itemCas} {token}\r\nv\r\n",
            "md" => sent.Contains($" C{_itemCas} ", StringComparison.Ordinal) ? $"HD {token}\r\n" : $"EX {token}\r\n",
            "ms" => $"HD c{Count()} {token}\r\n",
            _ => "MN\r\n",
        };
    }

    private string Count()
    {
        Interlocked.Increment(ref _probes);
        lock (_counts)
        {
            return _counts.TryDequeue(out string? count) ? count : 101.ToString(CultureInfo.InvariantCulture);
        }
    }

    private Task Until(Func<bool> condition, string what) => Eventually.True(
        () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(5));
            return condition();
        },
        what);
}
