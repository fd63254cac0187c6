using System.Text;
using MemcachedDistributedCache.Embedded.Commands;
using MemcachedDistributedCache.Embedded.Net;
using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Conformance;

/// <summary>How bytes are cut into reads must not matter, nor how many commands arrive together.</summary>
public sealed class StreamTests(ServerPair servers) : IClassFixture<ServerPair>
{
    [Fact]
    public void Every_split_in_two_gives_the_same_replies()
    {
        const string Input = "set a 5 0 10\r\n0123\r\n6789\r\nget a b a\r\nms b 3 k O1 c\r\nxyz\r\nset big 0 0 99999999\r\nmg b v\r\nget "
            + "a\r\nmg a v t\r\nset c 0 0 2\r\nabcd\r\nma n N0 v\r\nincr n 5\r\ngats 0 a n\r\nquit\r\n";
        string whole = Serve([Input]);
        Assert.Contains("VALUE a 5 10\r\n0123\r\n6789\r\n", whole, StringComparison.Ordinal);
        for (int at = 1; at < Input.Length; at++)
        {
            Assert.Equal(whole, Serve([Input[..at], Input[at..]]));
        }

        Assert.Equal(whole, Serve(Input.Select(c => c.ToString())));
    }

    [Fact]
    public void A_line_without_end_is_cut_off_at_2048_bytes_unless_it_retrieves()
    {
        Assert.EndsWith("{Abort}", Serve([new string('x', 2049)]), StringComparison.Ordinal);
        Assert.EndsWith("{NeedInput}", Serve([new string('x', 2048)]), StringComparison.Ordinal);
        Assert.EndsWith("{NeedInput}", Serve(["get " + new string('x', 5000)]), StringComparison.Ordinal);
        Assert.EndsWith("{Abort}", Serve([new string(' ', 101) + "get " + new string('x', 5000)]), StringComparison.Ordinal);
        Assert.EndsWith("{Abort}", Serve(["\u0080\u0001"]), StringComparison.Ordinal);
    }

    [MemcachedFact]
    public async Task A_pipeline_of_thousands_gets_the_same_replies()
    {
        var pipeline = new StringBuilder();
        for (int i = 0; i < 5000; i++)
        {
            pipeline.Append($"set k{i % 100} {i} 0 5\r\n{i:d5}\r\nmg k{i % 100} v f O{i}\r\nget k{i % 7} k{i % 100}\r\nma n N0 v\r\nmd k{i % 50} q\r\n");
        }

        using WireClient embedded = await WireClient.ConnectAsync(servers.Embedded);
        using WireClient real = await WireClient.ConnectAsync(servers.Real);
        await ServerPair.ResetAsync(embedded);
        await ServerPair.ResetAsync(real);
        Task<string> ours = embedded.AskAsync(pipeline.ToString());
        Task<string> theirs = real.AskAsync(pipeline.ToString());
        string expected = await theirs;
        Assert.EndsWith("\r\n", expected, StringComparison.Ordinal);
        Assert.Equal(expected, await ours);
    }

    [Fact]
    public async Task One_line_may_ask_for_more_than_any_buffer_holds()
    {
        const int Times = 64;
        string value = new('v', 1_000_000);
        using WireClient client = await WireClient.ConnectAsync(servers.Embedded);
        Assert.Equal("STORED\r\n", await client.AskAsync($"set a 0 0 {value.Length}\r\n{value}\r\n"));
        string reply = await client.AskAsync($"get{string.Concat(Enumerable.Repeat(" a", Times))}\r\n");
        Assert.Equal((Times * (value.Length + "VALUE a 0 1000000\r\n\r\n".Length)) + "END\r\n".Length, reply.Length);
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_nobody_up()
    {
        string value = new('v', 1_000_000);
        using WireClient slow = await WireClient.ConnectAsync(servers.Embedded);
        using WireClient quick = await WireClient.ConnectAsync(servers.Embedded);
        await slow.AskAsync($"set slow 0 0 {value.Length}\r\n{value}\r\n");
        await slow.SendAsync($"get{string.Concat(Enumerable.Repeat(" slow", 50))}\r\n");
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal("STORED\r\n", await quick.AskAsync("set quick 0 0 1\r\nx\r\n"));
        }
    }

    [Fact]
    public async Task Quit_answers_what_came_before_and_closes()
    {
        using WireClient client = await WireClient.ConnectAsync(servers.Embedded);
        await client.SendAsync("set q 0 0 1\r\nx\r\nget q\r\nquit\r\n");
        Assert.Equal("STORED\r\nVALUE q 0 1\r\nx\r\nEND\r\n{closed}", await client.ReadToEndAsync());
    }

    private static string Serve(IEnumerable<string> reads)
    {
        var reply = new ReplyBuffer();
        var store = new ItemStore(new ManualTimeProvider(), 64 << 20, 1 << 20, evict: true);
        var server = new ServerState(new System.Net.IPEndPoint(0, 0), 1, 1 << 20, EmbeddedMemcachedRelease.Release1618, new UserTable([]));
        var session = new Session(new CommandContext(store, server, reply));
        var output = new StringBuilder();
        byte[] pending = [];
        SessionStep step = SessionStep.NeedInput;
        foreach (string read in reads)
        {
            pending = [.. pending, .. Encoding.Latin1.GetBytes(read)];
            do
            {
                step = session.Advance(pending, out int consumed);
                pending = pending[consumed..];
                output.Append(Encoding.Latin1.GetString(reply.Written.Span));
                reply.Clear();
            }
            while (step == SessionStep.NeedRoom);
        }

        return output.Append('{').Append(step).Append('}').ToString();
    }
}
