using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>An administrator's questions to a real memcached.</summary>
public sealed class AdministrationTests
{
    [MemcachedFact]
    public async Task Each_question_is_answered()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using ItemRig rig = new(MemcachedProtocol.Auto, CallMode.Async, [server]);
        await rig.PutAsync("k", "value");
        await rig.FetchAsync("k");
        Assert.Equal("1", await ValueAsync(rig, "stats", "curr_items"));
        Assert.Equal("1", await ValueAsync(rig, "stats", "get_hits"));
        Assert.Equal("1", (await AskAsync(rig, "stats items")).Lines.First(static line => line.Name.EndsWith(":number", StringComparison.Ordinal)).Value);
        Assert.NotEmpty(await ValueAsync(rig, "stats slabs", "active_slabs"));
        Assert.NotEmpty((await AskAsync(rig, "stats sizes")).Lines);
        Assert.Equal("1048576", await ValueAsync(rig, "stats settings", "item_size_max"));
        Assert.Contains((await AskAsync(rig, "stats conns")).Lines, static line => line.Name.EndsWith(":state", StringComparison.Ordinal));
        Assert.StartsWith("1.", await ValueAsync(rig, "version", "version"), StringComparison.Ordinal);
        Assert.Empty((await AskAsync(rig, "stats reset")).Lines);
        Assert.Equal("0", await ValueAsync(rig, "stats", "get_hits"));
        Assert.Empty((await AskAsync(rig, "flush_all 1000")).Lines);
        Assert.Equal(ResultStatus.Success, (await rig.FetchAsync("k")).Status);
        Assert.Empty((await AskAsync(rig, "flush_all")).Lines);
        await Eventually.True(async () => (await rig.FetchAsync("k")).Status == ResultStatus.Miss, "all items are gone");
    }

    [MemcachedFact]
    public async Task A_refusal_is_quoted_and_a_server_that_is_away_gives_no_answer()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-F");
        await using ItemRig rig = new(MemcachedProtocol.Auto, CallMode.Async, [server]);
        AdminReply refused = await rig.Verbs.AskAsync(rig.Cluster.Nodes[0], "flush_all", CancellationToken.None);
        Assert.False(refused.IsAnswer);
        Assert.Contains("ERROR", refused.Error, StringComparison.Ordinal);
        using var canceled = new CancellationTokenSource();
        await canceled.CancelAsync();
        Assert.Same(AdminReply.None, await rig.Verbs.AskAsync(rig.Cluster.Nodes[0], "stats", canceled.Token));
        await server.KillAsync();
        Assert.Same(AdminReply.None, await rig.Verbs.AskAsync(rig.Cluster.Nodes[0], "stats", CancellationToken.None));
    }

    private static async Task<AdminReply> AskAsync(ItemRig rig, string command)
    {
        AdminReply reply = await rig.Verbs.AskAsync(rig.Cluster.Nodes[0], command, CancellationToken.None);
        Assert.True(reply.IsAnswer, $"{command}: {reply.Error}");
        return reply;
    }

    private static async Task<string> ValueAsync(ItemRig rig, string command, string name)
        => (await AskAsync(rig, command)).Lines.Single(line => line.Name == name).Value;
}
