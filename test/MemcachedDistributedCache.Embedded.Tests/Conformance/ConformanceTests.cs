using System.Net;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Conformance;

/// <summary>
/// Every case file, run against the embedded server and against a real memcached: both must answer as recorded, and so like
/// each other.
/// </summary>
public sealed class ConformanceTests(ServerPair servers) : IClassFixture<ServerPair>
{
    private static readonly string[] Files = ["classic", "hostile", "meta-get", "meta-set", "meta-other"];

    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (string file in Files)
        {
            foreach (string name in Script.Read(file).Keys)
            {
                cases.Add(file, name);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public Task Embedded_answers_as_recorded(string file, string name) => RunAsync(servers.Embedded, file, name, byteByByte: false);

    [MemcachedTheory]
    [MemberData(nameof(Cases))]
    public Task Real_memcached_answers_as_recorded(string file, string name) => RunAsync(servers.Real, file, name, byteByByte: false);

    [Theory]
    [MemberData(nameof(Cases))]
    public Task Embedded_answers_alike_when_bytes_come_one_by_one(string file, string name) => RunAsync(servers.Embedded, file, name, byteByByte: true);

    [Fact]
    public void The_suite_is_as_large_as_it_was()
        => Assert.True(Files.Sum(file => Script.Read(file).Values.Sum(exchanges => exchanges.Count)) >= 800);

    private static async Task RunAsync(IPEndPoint server, string file, string name, bool byteByByte)
    {
        const int LongestByteByByte = 4096;
        using WireClient client = await WireClient.ConnectAsync(server);
        long casBase = await ServerPair.ResetAsync(client);
        foreach ((string request, string recorded) in Script.Read(file)[name])
        {
            string bytes = Script.Expand(request, casBase);

            // A line longer than memcached's 2 048 bytes is judged by how much of it has arrived, so it stays whole.
            string reply = byteByByte && bytes.Length <= LongestByteByByte
                ? await client.AskByteByByteAsync(bytes)
                : await client.AskAsync(bytes);
            string shown = Script.Show(reply, casBase);
            Assert.True(shown == recorded, $"{file} / {name}\n  request  {Shorten(request)}\n  recorded {Shorten(recorded)}\n  answered {Shorten(shown)}");
        }
    }

    private static string Shorten(string text) => text.Length > 300 ? text[..300] + "…" : text;
}
