using System.Globalization;
using System.Net.Sockets;
using System.Text;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Another client of a server, which knows nothing of the cache's ways: looks at what is there, and spoils it.</summary>
internal static class Wire
{
    public static async Task<byte[]?> GetAsync(MemcachedProcess server, byte[] key)
    {
        byte[] reply = await AskAsync(server, [.. "mg "u8, .. key, .. " v\r\n"u8], "\r\n");
        string head = Encoding.Latin1.GetString(reply);
        if (!head.StartsWith("VA ", StringComparison.Ordinal))
        {
            return null;
        }

        int length = int.Parse(head.Split(' ', '\r')[1], CultureInfo.InvariantCulture);
        int start = head.IndexOf('\n', StringComparison.Ordinal) + 1;
        return reply[start..(start + length)];
    }

    public static async Task<uint> FlagsAsync(MemcachedProcess server, byte[] key)
    {
        string head = Encoding.Latin1.GetString(await AskAsync(server, [.. "mg "u8, .. key, .. " f\r\n"u8], "\r\n"));
        return uint.Parse(head.Split(' ', '\r')[1][1..], CultureInfo.InvariantCulture);
    }

    /// <summary>The number of an item's state.</summary>
    public static async Task<string> StateAsync(MemcachedProcess server, byte[] key)
        => Encoding.Latin1.GetString(await AskAsync(server, [.. "mg "u8, .. key, .. " c\r\n"u8], "\r\n"));

    public static async Task SetAsync(MemcachedProcess server, byte[] key, byte[] value, uint? flags = null)
    {
        uint kept = flags ?? await FlagsAsync(server, key);
        byte[] head = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $" {value.Length} T600 F{kept}\r\n"));
        byte[] reply = await AskAsync(server, [.. "ms "u8, .. key, .. head, .. value, .. "\r\n"u8], "\r\n");
        Assert.StartsWith("HD", Encoding.ASCII.GetString(reply), StringComparison.Ordinal);
    }

    public static async Task<bool> DeleteAsync(MemcachedProcess server, byte[] key)
        => Encoding.ASCII.GetString(await AskAsync(server, [.. "md "u8, .. key, .. "\r\n"u8], "\r\n")).StartsWith("HD", StringComparison.Ordinal);

    /// <summary>Any command on a key; gives the reply.</summary>
    public static async Task<string> AskAsync(MemcachedProcess server, string verb, byte[] key, string rest)
        => Encoding.Latin1.GetString(
            await AskAsync(server, [.. Encoding.ASCII.GetBytes(verb + " "), .. key, .. Encoding.ASCII.GetBytes(rest + "\r\n")], "\r\n"));

    private static async Task<byte[]> AskAsync(MemcachedProcess server, byte[] request, string end)
    {
        using var limit = new CancellationTokenSource(Eventually.Limit);
        using var client = new TcpClient();
        await client.ConnectAsync(server.EndPoint, limit.Token);
        NetworkStream stream = client.GetStream();

        // The fence after it marks the end of the reply.
        await stream.WriteAsync((byte[])[.. request, .. "mn\r\n"u8], limit.Token);
        var received = new List<byte>();
        byte[] buffer = new byte[4096];
        while (!Encoding.Latin1.GetString([.. received]).EndsWith("MN" + end, StringComparison.Ordinal))
        {
            int count = await stream.ReadAsync(buffer, limit.Token);
            Assert.NotEqual(0, count);
            received.AddRange(buffer.AsSpan(0, count));
        }

        return [.. received.Take(received.Count - 4)];
    }
}
