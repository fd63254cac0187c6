using MemcachedDistributedCache.Embedded.Tests.Wire;

namespace MemcachedDistributedCache.Embedded.Tests.Server;

/// <summary>The answers of old releases to the meta commands of newer ones, as builds of 1.5.22 and 1.6.9 gave them.</summary>
public sealed class ReleaseTests
{
    private const string Flag = "CLIENT_ERROR invalid or duplicate flag\r\n";
    private const string Tokens = "CLIENT_ERROR incorrect number of tokens supplied\r\n";

    public static TheoryData<EmbeddedMemcachedRelease, string, string> Said => new()
    {
        { EmbeddedMemcachedRelease.Release1522, "version\r\nmn\r\n", "VERSION 1.5.22-embedded\r\nEN\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "mg k v f t O1\r\n", Tokens },
        { EmbeddedMemcachedRelease.Release1522, "mg k f t c O1\r\n", Tokens },
        { EmbeddedMemcachedRelease.Release1522, "mg k N10 v f t c O1\r\n", Flag },
        { EmbeddedMemcachedRelease.Release1522, "mg k T30 f t c O1\r\n", Flag },
        { EmbeddedMemcachedRelease.Release1522, "mg k\r\n", "EN\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "mg k k O1\r\n", Tokens },
        { EmbeddedMemcachedRelease.Release1522, "mg k s v\r\n", Tokens },
        { EmbeddedMemcachedRelease.Release1522, "mg k vv\r\n", Flag },
        { EmbeddedMemcachedRelease.Release1522, "mg k vO 7\r\n", "EN\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "ms k S3\r\nabc\r\n", Flag + "ERROR\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "md k I T5\r\n", Tokens },
        { EmbeddedMemcachedRelease.Release1522, "mn x\r\n", "EN\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "mg\r\n", "ERROR\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "ms k 3 T10 O1\r\nabc\r\n", Flag + "ERROR\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "ms k 0 T60 c O7\r\n\r\n", Flag + "ERROR\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "ms k\r\nabc\r\n", "CLIENT_ERROR bad command line format\r\nERROR\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "md k O1\r\n", Flag },
        { EmbeddedMemcachedRelease.Release1522, "md k C5 O1\r\n", Flag },
        { EmbeddedMemcachedRelease.Release1522, "md k\r\n", "NF \r\n" },
        { EmbeddedMemcachedRelease.Release1522, "ma k O1\r\n", "ERROR\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "me k\r\n", "EN\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "mx\r\n", "ERROR\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "set k 1 0 3\r\nabc\r\nget k\r\n", "STORED\r\nVALUE k 1 3\r\nabc\r\nEND\r\n" },
        { EmbeddedMemcachedRelease.Release1522, "ms k 9 T10 O1\r\nflush_all\r\n", Flag + "OK\r\n" }, // why such a server must not be asked so
        { EmbeddedMemcachedRelease.Release169, "version\r\nmn\r\n", "VERSION 1.6.9-embedded\r\nMN\r\n" },
        { EmbeddedMemcachedRelease.Release169, "ms k 3 T10 O1\r\nabc\r\n", "CLIENT_ERROR invalid flag\r\nERROR\r\n" },
        { EmbeddedMemcachedRelease.Release169, "ms k 0 T60 c O7\r\n\r\n", "CLIENT_ERROR invalid flag\r\nERROR\r\n" },
        { EmbeddedMemcachedRelease.Release169, "ms k\r\nabc\r\n", "CLIENT_ERROR bad command line format\r\nERROR\r\n" },
        { EmbeddedMemcachedRelease.Release169, "mg k\r\n", "CLIENT_ERROR bad command line format\r\n" },
        { EmbeddedMemcachedRelease.Release169, "mg k v v\r\n", "CLIENT_ERROR duplicate flag\r\n" },
        { EmbeddedMemcachedRelease.Release169, "mg k v b\r\n", "CLIENT_ERROR invalid flag\r\n" },
        { EmbeddedMemcachedRelease.Release169, "md k v v\r\n", Flag },
        { EmbeddedMemcachedRelease.Release169, "ma k x\r\n", Flag },
        { EmbeddedMemcachedRelease.Release169, "mn x\r\n", "MN\r\n" },
        { EmbeddedMemcachedRelease.Release169, "mx\r\n", "ERROR\r\n" },
        { EmbeddedMemcachedRelease.Release169, "mg k N10 v f c O1\r\n", "VA 0 f0 c1 O1 W\r\n\r\n" },
        { EmbeddedMemcachedRelease.Release1618, "version\r\nmn\r\n", "VERSION 1.6.18-embedded\r\nMN\r\n" },
        { EmbeddedMemcachedRelease.Release1618, "ms k 3 T10 O1\r\nabc\r\n", "HD O1\r\n" },
    };

    [Theory]
    [MemberData(nameof(Said))]
    public async Task An_old_release_answers_word_for_word(EmbeddedMemcachedRelease release, string request, string reply)
    {
        await using EmbeddedMemcached server = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Release = release });
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await client.SendAsync(request);
        Assert.Equal(reply, await client.ReadAsync(reply.Length));
    }

    [Fact]
    public void A_release_that_is_none_is_refused()
    {
        var options = new EmbeddedMemcachedOptions { Release = (EmbeddedMemcachedRelease)9 };
        ArgumentException exception = Assert.Throws<ArgumentException>(() => EmbeddedMemcached.Start(options));
        Assert.Contains("EmbeddedMemcachedOptions.Release is 9", exception.Message, StringComparison.Ordinal);
    }
}
