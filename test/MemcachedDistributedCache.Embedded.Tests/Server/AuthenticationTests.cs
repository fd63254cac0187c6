using System.Net;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Server;

/// <summary>A server that asks for a user (<c>-Y</c>): every answer of the embedded one is held against a real memcached.</summary>
public sealed class AuthenticationTests(AuthenticationTests.Servers servers) : IClassFixture<AuthenticationTests.Servers>
{
    private const string Request = "set a 0 0 11\r\nshop s3cr3t\r\n";
    private const string Stored = "STORED\r\n";
    private const string Unauthenticated = "CLIENT_ERROR unauthenticated\r\n";
    private const string Refused = "CLIENT_ERROR authentication failure\r\n";
    private const string BadEnd = "CLIENT_ERROR bad command line termination\r\n";
    private const string BadFormat = "CLIENT_ERROR bad authentication token format\r\n";

    public static TheoryData<string, string> Said => new()
    {
        { "version\r\n", Unauthenticated },
        { "mn\r\n", Unauthenticated },
        { "get a\r\n", Unauthenticated },
        { "ms a 2 T10\r\nhi\r\n", Unauthenticated },
        { "quit\r\n", Unauthenticated },
        { "stats\n", Unauthenticated },
        { "\r\n", Unauthenticated },
        { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", Unauthenticated },
        { "\u0080\u000b\0\0\0\n", Unauthenticated },
        { new string('x', 2046) + "\r\n", Unauthenticated },
        { "get " + new string('k', 5000) + "\r\n", Unauthenticated },
        { "SET a 0 0 11\r\n", Unauthenticated },
        { "add a 0 0 11\r\n", Unauthenticated },
        { "set a 0 0\r\n", Unauthenticated },
        { "set a 0 0 \r\n", Unauthenticated },
        { "set a 0 0 x\r\n", Unauthenticated },
        { "set a 0 0 -1\r\n", Unauthenticated },
        { "set a 0 0 11x\r\n", Unauthenticated },
        { "set a 0 0 0x0b\r\n", Unauthenticated },
        { "set a\0 0 0 11\r\n", Unauthenticated },
        { Request, Stored },
        { "set a x y 11\r\nshop s3cr3t\r\n", Stored },
        { "set a 0 0 11\nshop s3cr3t\r\n", Stored },
        { "  set  a  0  0  11  \r\nshop s3cr3t\r\n", Stored },
        { "set a 0 0 +11 noreply\r\nshop s3cr3t\r\n", Stored },
        { "set a 0 0 0011 1 2 3 4\r\nshop s3cr3t\r\n", Stored },
        { "set a 0 0 11\0z\r\nshop s3cr3t\r\n", Stored },
        { "set " + new string('k', 251) + " 0 0 11\r\nshop s3cr3t\r\n", Stored },
        { "set a 0 0 15\r\n shop  s3cr3t  \r\n", Stored },
        { "set a 0 0 17\r\nshop s3cr3t other\r\n", Stored },
        { "set a 0 0 13\r\nshop s3cr3t\0x\r\n", Stored },
        { "set a 0 0 10\r\nother word\r\n", Stored },
        { "set a 0 0 9\r\nshop word\r\n", Refused },
        { "set a 0 0 11\r\nshop S3cr3t\r\n", Refused },
        { "set a 0 0 10\r\nshop s3cr3\r\n", Refused },
        { "set a 0 0 5 noreply\r\na b c\r\n", Refused },
        { "set a 0 0 3002\r\nu " + new string('p', 3000) + "\r\n", Refused },
        { "set a 0 0 5\r\nhello\r\n", BadFormat },
        { "set a 0 0 0\r\n\r\n", BadFormat },
        { "set a 0 0 1 \u00ff\r\nx\r\n", BadFormat },
        { "set a 0 0 11\r\nshop s3cr3txx", BadEnd },
        { "set a 0 0 12\r\nshop s3cr3t\r\n\n", BadEnd },
        { "set a 0 0 4294967296\r\nx\r", BadEnd },

        // Of what is read together only the last is answered.
        { "version\r\nversion\r\nset a 0 0 5\r\nhello\r\n", BadFormat },
        { "set a 0 0 9\r\nshop word\r\n" + Request, Stored },
        { Request + "version\r\nget none\r\n", Stored + "VERSION *\r\nEND\r\n" },
        { Request + Request + "get a\r\n", Stored + Stored + "VALUE a 0 11\r\nshop s3cr3t\r\nEND\r\n" },
    };

    [Theory]
    [MemberData(nameof(Said))]
    public Task The_embedded_server_answers_as_recorded(string request, string reply) => AssertAnswersAsync(servers.Embedded, request, reply);

    [MemcachedTheory]
    [MemberData(nameof(Said))]
    public Task Real_memcached_answers_as_recorded(string request, string reply) => AssertAnswersAsync(servers.Real, request, reply);

    [Fact]
    public async Task Bytes_may_come_one_by_one()
    {
        using WireClient client = await WireClient.ConnectAsync(servers.Embedded);
        foreach ((string request, string reply) in new[] { ("version\r\n", Unauthenticated), ("set a 0 0 9\r\nshop word\r\n", Refused), (Request, Stored) })
        {
            foreach (char letter in request)
            {
                await client.SendAsync(letter.ToString());
            }

            Assert.Equal(reply, await client.ReadAsync(reply.Length));
        }
    }

    [Fact]
    public Task The_embedded_server_closes_at_what_is_too_long() => AssertClosesAsync(servers.Embedded);

    [MemcachedFact]
    public Task Real_memcached_closes_at_what_is_too_long() => AssertClosesAsync(servers.Real);

    [Fact]
    public Task The_embedded_server_counts_attempts() => AssertCountsAsync(servers.Embedded);

    [MemcachedFact]
    public Task Real_memcached_counts_attempts() => AssertCountsAsync(servers.Real);

    [Theory]
    [InlineData("", "word", "a user ''")]
    [InlineData("us er", "word", "a user 'us er'")]
    [InlineData("us:er", "word", "a user 'us:er'")]
    [InlineData("user", "", "a user 'user' with an unusable password")]
    [InlineData("user", "wo rd", "a user 'user' with an unusable password")]
    [InlineData("user", "word\n", "a user 'user' with an unusable password")]
    public void A_user_that_could_never_authenticate_is_refused(string name, string password, string expected)
    {
        ArgumentException exception = Assert.Throws<ArgumentException>(() => EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Users = { [name] = password } }));
        Assert.Contains("EmbeddedMemcachedOptions.Users is " + expected, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("wo rd", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Later_changes_of_the_options_have_no_effect()
    {
        var options = new EmbeddedMemcachedOptions { Users = { ["shop"] = "s3cr3t" } };
        await using EmbeddedMemcached server = EmbeddedMemcached.Start(options);
        options.Users.Clear();
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await client.SendAsync("version\r\n");
        Assert.Equal(Unauthenticated, await client.ReadAsync(Unauthenticated.Length));
    }

    private static async Task AssertAnswersAsync(IPEndPoint server, string request, string reply)
    {
        using WireClient client = await WireClient.ConnectAsync(server);
        await client.SendAsync(request);
        int versions = reply.Contains('*', StringComparison.Ordinal) ? 1 : 0;
        string answer = await client.ReadToAsync(versions == 0 ? reply : reply[(reply.IndexOf('*', StringComparison.Ordinal) + 1)..]);
        Assert.Equal(reply, versions == 0 ? answer : System.Text.RegularExpressions.Regex.Replace(answer, @"VERSION [^\r]*", "VERSION *"));

        // Nothing else was said: whoever is let in, then or now, is answered in step.
        await client.SendAsync(Request);
        Assert.Equal(Stored, await client.ReadToAsync(Stored));
        Assert.Equal("", await client.AskAsync(""));
    }

    private static async Task AssertClosesAsync(IPEndPoint server)
    {
        foreach (string request in new[] { new string('x', 2049), "set a 0 0 20000\r\n" + new string('x', 20_000) })
        {
            using WireClient client = await WireClient.ConnectAsync(server);
            await client.SendAsync(request);
            Assert.Matches("^{(closed|reset)}$", await client.ReadToEndAsync());
        }
    }

    private static async Task AssertCountsAsync(IPEndPoint server)
    {
        using WireClient client = await WireClient.ConnectAsync(server);
        await client.SendAsync(Request);
        await client.ReadToAsync(Stored);
        (long attempts, long failures) = await CountsAsync(client);
        using WireClient other = await WireClient.ConnectAsync(server);
        foreach ((string request, string reply) in new[] { ("version\r\n", Unauthenticated), ("set a 0 0 9\r\nshop word\r\n", Refused), ("set a 0 0 0\r\n\r\n", BadFormat), (Request, Stored) })
        {
            await other.SendAsync(request);
            Assert.Equal(reply, await other.ReadToAsync(reply));
        }

        Assert.Equal((attempts + 2, failures + 1), await CountsAsync(client));
    }

    private static async Task<(long Attempts, long Failures)> CountsAsync(WireClient client)
    {
        string[] lines = (await client.AskAsync("stats\r\n")).Split("\r\n");
        return (Of("auth_cmds"), Of("auth_errors"));

        long Of(string name) => long.Parse(lines.Single(line => line.StartsWith($"STAT {name} ", StringComparison.Ordinal)).Split(' ')[2]);
    }

    /// <summary>Both servers, with the same two users.</summary>
    public sealed class Servers : IAsyncLifetime
    {
        private readonly string _file = Path.GetTempFileName();
        private EmbeddedMemcached? _embedded;
        private MemcachedProcess? _real;

        public IPEndPoint Embedded => _embedded!.Nodes[0].EndPoint;

        public IPEndPoint Real => _real!.EndPoint;

        public async Task InitializeAsync()
        {
            _embedded = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Users = { ["shop"] = "s3cr3t", ["other"] = "word" } });
            await File.WriteAllTextAsync(_file, "shop:s3cr3t\nother:word\n");
            _real = MemcachedBinary.SkipReason is null ? await MemcachedProcess.StartAsync("-Y", _file) : null;
        }

        public async Task DisposeAsync()
        {
            await _embedded!.DisposeAsync();
            if (_real is not null)
            {
                await _real.DisposeAsync();
            }

            File.Delete(_file);
        }
    }
}
