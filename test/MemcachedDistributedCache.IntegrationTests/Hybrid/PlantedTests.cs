using System.Buffers.Binary;
using System.Text;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>What another client writes into one server does nothing to another.</summary>
public sealed class PlantedTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    [MemcachedFact]
    public async Task An_entry_whose_tags_are_commands_flushes_no_other_server()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        Instance one = On([first, second], 1)[0];
        KeyEncoder keys = one.Cache.Parts.Keys;
        for (int i = 0; i < 40; i++)
        {
            await one.Cache.SetAsync("kept" + i, i + 1);
        }

        // Of twenty such keys some belong to each server, and so do the keys of the entries.
        for (int i = 0; i < 20; i++)
        {
            byte[] entryKey = keys.Encode("planted" + i, HybridSpace.Entry);
            byte[] item = EntryWith(Encoding.ASCII.GetBytes($"{i}\r\nflush_all\r\nmn"));
            foreach (MemcachedProcess server in (MemcachedProcess[])[first, second])
            {
                await Wire.SetAsync(server, entryKey, item, EntryLayout.Flags);
            }

            Assert.Equal("new", await one.Get("planted" + i, static _ => new ValueTask<string>("new")));
        }

        for (int i = 0; i < 40; i++)
        {
            Assert.Equal(i + 1, await one.PeekCluster<int>("kept" + i));
        }

        Assert.Equal("0", (await first.StatsAsync())["cmd_flush"]);
        Assert.Equal("0", (await second.StatsAsync())["cmd_flush"]);
    }

    private static byte[] EntryWith(byte[] tagKey)
    {
        byte[] item = new byte[40];
        item[0] = 1;
        item[1] = (byte)PayloadKind.Utf8;
        long now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        BinaryPrimitives.WriteInt64BigEndian(item.AsSpan(2), now);
        BinaryPrimitives.WriteInt64BigEndian(item.AsSpan(10), now + 600_000);
        item[19] = 1;
        return [.. item, (byte)tagKey.Length, .. tagKey, .. new byte[TagVersion.Length]];
    }
}
