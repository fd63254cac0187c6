using System.Text;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>
/// A change that builds on an item gives that a new CAS, and would let it pass every fence. What may not be read is not built on either.
/// </summary>
public sealed class FencedChangeTests
{
    public static TheoryData<string, string> Ways => new()
    {
        { "Meta", "Async" },
        { "Meta", "Sync" },
        { "Classic", "Async" },
        { "Classic", "Sync" },
    };

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task A_key_that_changed_hands_and_came_back_is_counted_from_the_beginning(string protocol, string mode)
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using ItemRig rig = On(protocol, mode, [first, second]);
        string[] keys = [.. Enumerable.Range(0, 200).Select(static i => $"key:{i}").Where(key => IsOf(rig, key, second)).Take(6)];
        await rig.Cluster.ReloadAsync(ItemRig.Specs(first));
        foreach (string key in keys)
        {
            Assert.Equal(ResultStatus.Success, (await rig.PutAsync(key, "10")).Status);
        }

        await rig.Cluster.ReloadAsync(ItemRig.Specs(first, second));
        foreach (string key in keys)
        {
            Assert.Equal(ResultStatus.Success, (await ItemRig.SentAsync(() => rig.PutAsync(key, "20"))).Status);
        }

        await rig.Cluster.ReloadAsync(ItemRig.Specs(first));
        Assert.Equal("VALUE", (await first.CommandAsync("get " + keys[0]))[..5]); // what is old is there
        Assert.Equal(1ul, (await ItemRig.SentAsync(() => rig.IncrementAsync(keys[0], initial: 1))).Number);
        Assert.Equal(ResultStatus.Miss, (await ItemRig.SentAsync(() => rig.IncrementAsync(keys[1]))).Status);
        Assert.Equal(ResultStatus.Success, (await ItemRig.SentAsync(() => rig.PutAsync(keys[2], "x", StoreMode.Append, vivify: 60))).Status);
        Assert.Equal("x", ItemRig.Text(await rig.FetchAsync(keys[2])));
        Assert.Equal(ResultStatus.Conflict, (await ItemRig.SentAsync(() => rig.PutAsync(keys[3], "x", StoreMode.Replace))).Status);
        Assert.Equal(ResultStatus.Success, (await ItemRig.SentAsync(() => rig.PutAsync(keys[4], "x", StoreMode.Add))).Status);
        Assert.Equal(protocol == "Meta" ? ResultStatus.Miss : ResultStatus.Unsupported, (await ItemRig.SentAsync(() => rig.RemoveAsync(keys[5], stale: 60))).Status);
        Assert.Equal(ResultStatus.Miss, (await rig.FetchAsync(keys[5])).Status);

        // What is new is built on.
        Assert.Equal(2ul, (await rig.IncrementAsync(keys[0])).Number);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync(keys[4], "y", StoreMode.Append)).Status);
        Assert.Equal("xy", ItemRig.Text(await rig.FetchAsync(keys[4])));
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task An_old_item_that_is_touched_stays_one_that_is_not_read(string protocol, string mode)
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using ItemRig rig = On(protocol, mode, [first, second]);
        string key = Enumerable.Range(0, 200).Select(static i => $"key:{i}").First(key => IsOf(rig, key, second));
        await rig.Cluster.ReloadAsync(ItemRig.Specs(first));
        await rig.PutAsync(key, "10");
        CasToken state = (await rig.FetchAsync(key)).CasToken;
        await rig.Cluster.ReloadAsync(ItemRig.Specs(first, second));
        await rig.Cluster.ReloadAsync(ItemRig.Specs(first));
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(ResultStatus.Miss, (await rig.TouchAsync(key, 1000)).Status);
            Assert.Equal(ResultStatus.Miss, (await rig.FetchAsync(key, touchTo: 1000)).Status);
        }

        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync(key, "11", cas: state)).Status);
        Assert.Equal(ResultStatus.Conflict, (await rig.RemoveAsync(key, state)).Status);

        // What is stored before the fence has been found is behind it.
        await Eventually.True(
            async () =>
            {
                Assert.Equal(ResultStatus.Success, (await rig.PutAsync(key, "12")).Status);
                return (await rig.FetchAsync(key)).Status == ResultStatus.Success;
            },
            "what is new is read");
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task Nothing_is_built_on_what_a_whole_node_is_not_trusted_with(string protocol, string mode)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using ItemRig rig = On(protocol, mode, [server], maximumUncertain: 1);
        Assert.Equal(10ul, (await rig.IncrementAsync("n", initial: 10)).Number);
        await rig.PutAsync("t", "old");

        // More keys are uncertain than are remembered: no item of now may be read.
        rig.Cluster.Nodes[0].Consistency.MarkAll();
        OperationResult unsent = await rig.IncrementAsync("n", initial: 1);
        Assert.True(unsent.Status == ResultStatus.Failed ? !unsent.Failure!.WasSent : unsent.Number == 1);
        Assert.Equal(ResultStatus.Miss, (await rig.FetchAsync("t")).Status);
        Assert.Equal(ResultStatus.Conflict, (await ItemRig.SentAsync(() => rig.PutAsync("t", "x", StoreMode.Append))).Status);
        OperationResult counted = await ItemRig.SentAsync(() => rig.IncrementAsync("n", initial: 1));
        Assert.Equal(unsent.Status == ResultStatus.Failed ? 1ul : 2ul, counted.Number);
        Assert.Equal(counted.Number + 1, (await rig.IncrementAsync("n", initial: 1)).Number);
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task An_uncertain_key_is_removed_before_it_is_built_on(string protocol, string mode)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using ItemRig rig = On(protocol, mode, [server]);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(ResultStatus.Success, (await rig.PutAsync("n", "10")).Status);
            rig.Cluster.Nodes[0].Consistency.Record(Encoding.ASCII.GetBytes("n"), mayOvertakeRemoval: false, SettlingConnection.Any);
            Assert.Equal(1ul, (await ItemRig.SentAsync(() => rig.IncrementAsync("n", initial: 1))).Number);
            Assert.Equal(2ul, (await ItemRig.SentAsync(() => rig.IncrementAsync("n", initial: 1))).Number);
        }
    }

    private static bool IsOf(ItemRig rig, string key, MemcachedProcess server)
        => ((Cluster.Node)rig.Verbs.NodeOf(ItemRig.HashOf(key))).Address.Port == server.EndPoint.Port;

    private static ItemRig On(string protocol, string mode, IReadOnlyList<MemcachedProcess> servers, int maximumUncertain = 1000)
        => new(Enum.Parse<MemcachedProtocol>(protocol), Enum.Parse<CallMode>(mode), servers, maximumUncertain);
}
