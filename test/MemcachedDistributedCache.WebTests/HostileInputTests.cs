using System.Net.Sockets;
using System.Text;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.WebTests;

/// <summary>Requests that no HTTP library would send, as bytes on a socket to the real server.</summary>
public sealed class HostileInputTests
{
    private const string Tail = "Host: localhost\r\nConnection: close\r\n\r\n";

    [MemcachedFact]
    public async Task A_hostile_request_is_refused_and_harms_nobody()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp();
        Uri address = app.Listen();
        using HttpClient client = app.NewClient();
        string cookie = await client.BeginSessionAsync();

        foreach (string id in (string[])["9223372036854775808", new('9', 4000), "-9223372036854775809", "1.0", "1e3", "0x1", "abc", "%00", "1%00", "1%0d%0aget%20x", "%20%20", "..%2f..%2f1", "%F0%9F%98%80", "%FF%FE", "1;drop%20table", "%D9%A1"])
        {
            Assert.InRange(await SendAsync(address, $"GET /api/products/{id} HTTP/1.1\r\n{Tail}"), 400, 499);
            Assert.InRange(
                await SendAsync(
                    address,
                    $"PUT /api/products/{id}/price HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 11\r\n{Tail}{{\"price\":1}}"),
                400,
                499);
        }

        (string Request, int Lowest)[] cases =
        [
            ($"GET /api/products/{new string('1', 20_000)} HTTP/1.1\r\n{Tail}", 400),
            ($"GET /api/products/1\0 HTTP/1.1\r\n{Tail}", 400),
            ($"DELETE /api/products/1 HTTP/1.1\r\n{Tail}", 400),
            ($"PUT /api/products/1/price HTTP/1.1\r\n{Tail}", 400),
            ($"PUT /api/products/1/price HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: -1\r\n{Tail}", 400),
            ($"PUT /api/products/1/price HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n{Tail}zz\r\n", 400),
            ($"PUT /api/products/1/price HTTP/1.1\r\nContent-Type: \0\r\nContent-Length: 2\r\n{Tail}{{}}", 400),
            ($"GET /api/session/visits HTTP/1.1\r\nX-Long: {new string('x', 64 * 1024)}\r\n{Tail}", 400),
            ($"GET /api/session/visits HTTP/1.1\r\nX Bad: 1\r\n{Tail}", 400),
            ($"GET /api/session/visits HTTP/1.1\r\nCookie: webapi.session=\0\x01\r\n{Tail}", 400),
            ($"GET /api/session/visits HTTP/1.1\r\nCookie: ;;;=;webapi.session=;%%%=%zz\r\n{Tail}", 200),
            ($"GET /api/session/visits HTTP/1.1\r\nCookie: webapi.session={new string('A', 16_000)}\r\n{Tail}", 200),
            ($"GET /api/session/visits HTTP/1.1\r\nCookie: webapi.session=%00%0d%0a\r\n{Tail}", 200),
            ($"GET /api/session/visits HTTP/1.1\r\nCookie: {cookie}x; {cookie}\r\nCookie: {cookie[..^5]}\r\n{Tail}", 200),
            ($"GET /api/session/visits HTTP/1.1\r\nCookie: {cookie[..30]}\r\n{Tail}", 200),
            ($"GET /api/session/visits HTTP/1.1\r\nAccept: \xff\xfe;q=x\r\nAccept-Encoding: ,,,\r\n{Tail}", 200),
            ($"GET /api/products/1?id=2&id=%ff HTTP/1.1\r\nRange: bytes=9-1\r\nIf-None-Match: \"\r\n{Tail}", 200),
        ];
        foreach ((string request, int lowest) in cases)
        {
            int status = await SendAsync(address, request);
            Assert.True(status >= lowest && status < 500, $"{status} for {request[..Math.Min(request.Length, 120)]}");
        }

        Assert.Equal(1, (await client.GetProductAsync(1)).Product.Version);
        Assert.Empty(app.Log.Texts(LogLevel.Error));
    }

    private static async Task<int> SendAsync(Uri address, string request)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var socket = new TcpClient();
        await socket.ConnectAsync(address.Host, address.Port, limit.Token);
        NetworkStream stream = socket.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), limit.Token);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        string? line = await reader.ReadLineAsync(limit.Token);
        return int.Parse(line!.Split(' ')[1]);
    }
}
