using System.Net.Sockets;
using System.Net;
using System.Text;

namespace MemcachedDistributedCache.Embedded.Tests.Wire;

/// <summary>Raw bytes to a server and back. A question with a unique answer behind each request tells where its replies end.</summary>
internal sealed class WireClient : IDisposable
{
    private const string Question = "mg __end__ k\r\n";
    private static readonly byte[] Answer = Encoding.Latin1.GetBytes("EN k__end__\r\n");
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _socket;

    private WireClient(Socket socket) => _socket = socket;

    public static async Task<WireClient> ConnectAsync(IPEndPoint endPoint)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var limit = new CancellationTokenSource(Patience);
        await socket.ConnectAsync(endPoint, limit.Token);
        return new WireClient(socket);
    }

    /// <summary>Sends a request and returns all that the server answers to it.</summary>
    public async Task<string> AskAsync(string latin1)
    {
        await SendAsync(latin1 + Question);
        return await ReadAnswersAsync();
    }

    /// <summary>Sends a request one byte at a time, each in a segment of its own.</summary>
    public async Task<string> AskByteByByteAsync(string latin1)
    {
        foreach (char c in latin1 + Question)
        {
            await SendAsync(c.ToString());
        }

        return await ReadAnswersAsync();
    }

    public async Task SendAsync(string latin1)
    {
        using var limit = new CancellationTokenSource(Patience);
        byte[] bytes = Encoding.Latin1.GetBytes(latin1);
        for (int sent = 0; sent < bytes.Length;)
        {
            sent += await _socket.SendAsync(bytes.AsMemory(sent), limit.Token);
        }
    }

    /// <summary>
    /// Reads until so many bytes came or the connection ended; an end shows as <c>{closed}</c>, a reset as
    /// <c>{reset}</c>.
    /// </summary>
    public Task<string> ReadAsync(int bytes) => ReadUntilAsync((_, length) => length >= bytes);

    /// <summary>Reads until the text ends so, or the connection ended.</summary>
    public Task<string> ReadToAsync(string end) => ReadUntilAsync((text, length) => text.AsSpan(0, length).EndsWith(Encoding.Latin1.GetBytes(end)));

    public Task<string> ReadToEndAsync() => ReadUntilAsync((_, _) => false);

    /// <summary>Whether nothing arrives while the work is done.</summary>
    public bool IsSilent => _socket.Available == 0;

    public void FinishSending() => _socket.Shutdown(SocketShutdown.Send);

    public void Dispose() => _socket.Dispose();

    private async Task<string> ReadAnswersAsync()
    {
        string text = await ReadUntilAsync((text, length) => text.AsSpan(0, length).EndsWith(Answer));
        return text.EndsWith(Encoding.Latin1.GetString(Answer), StringComparison.Ordinal) ? text[..^Answer.Length] : text;
    }

    private async Task<string> ReadUntilAsync(Func<byte[], int, bool> done)
    {
        using var limit = new CancellationTokenSource(Patience);
        var text = new MemoryStream();
        byte[] buffer = new byte[65536];
        try
        {
            while (!done(text.GetBuffer(), (int)text.Length))
            {
                int count = await _socket.ReceiveAsync(buffer, limit.Token);
                if (count == 0)
                {
                    return Encoding.Latin1.GetString(text.ToArray()) + "{closed}";
                }

                text.Write(buffer, 0, count);
            }
        }
        catch (SocketException)
        {
            return Encoding.Latin1.GetString(text.ToArray()) + "{reset}";
        }
        catch (OperationCanceledException)
        {
            return Encoding.Latin1.GetString(text.ToArray()) + "{silence}";
        }

        return Encoding.Latin1.GetString(text.ToArray());
    }
}
