using System.Net.Sockets;
using System.Net;
using System.Text;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// A peer on loopback that shakes hands as memcached does, and answers each request with what a test wants. It answers
/// reads only; that no real server would answer so is why it is here.
/// </summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _handshake;
    private readonly Func<string, string?> _answer;
    private readonly StringBuilder _heard = new();
    private readonly Task _serving;
    private int _accepted;

    /// <summary>Starts it.</summary>
    /// <param name="answer">From the token of a request (such as <c>O1</c>) to the bytes of its answer; null is
    /// silence, for good on its connection: answers come in order.</param>
    /// <param name="handshake">The answer to the handshake's commands but the last (mn).</param>
    public ScriptedServer(Func<string, string?> answer, string handshake = "VERSION 1.6.18\r\nSTAT item_size_max 1048576\r\nEND\r\n")
    {
        _answer = answer;
        _handshake = handshake;
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>Where it listens.</summary>
    public string Server => _listener.LocalEndpoint.ToString()!;

    /// <summary>Connections accepted.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>All that clients said.</summary>
    public string Heard
    {
        get
        {
            lock (_heard)
            {
                return _heard.ToString();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        var conversations = new List<Task>();
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
                Interlocked.Increment(ref _accepted);
                conversations.Add(TalkAsync(client));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(conversations);
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
                bool isSilent = false;
                bool isWelcome = false;
                while (await reader.ReadLineAsync(_stop.Token) is { } line)
                {
                    lock (_heard)
                    {
                        _heard.Append(line).Append('\n');
                    }

                    string? answer = line switch
                    {
                        "version" => "",
                        "stats settings" => _handshake,
                        "mn" => isWelcome && _answer("") is null ? null : "MN\r\n",
                        _ => line.Split(' ').SingleOrDefault(static word => word.StartsWith('O')) is { } token ? _answer(token) : "",
                    };
                    isWelcome |= line == "mn";
                    isSilent |= answer is null;
                    await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(isSilent ? "" : answer!), _stop.Token);
                }
            }
            catch (Exception exception) when (exception is OperationCanceledException or IOException)
            {
                // The test is over, or the client has heard enough.
            }
        }
    }
}
