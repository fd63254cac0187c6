using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>The proxies that are imitated.</summary>
public enum ProxyKind
{
    /// <summary>
    /// twemproxy 0.5.0, word for word as observed: it passes what it knows to a server, <c>version</c> too, answers
    /// <c>SERVER_ERROR Connection refused</c> for a server that is away, and closes the connection at all else, with
    /// nothing said.
    /// </summary>
    Twemproxy,

    /// <summary>
    /// mcrouter, word for word as its sources have it: it tells a version of its own, refuses <c>stats settings</c> with
    /// <c>CLIENT_ERROR bad stats command</c>, and answers <c>CLIENT_ERROR malformed request</c> to what it does not
    /// know, and closes the connection. For a server that is away it says <c>SERVER_ERROR unavailable</c>.
    /// </summary>
    Mcrouter,
}

/// <summary>A proxy on loopback before one server, which passes classic commands on and no others.</summary>
internal sealed class ScriptedProxy : IAsyncDisposable
{
    private static readonly string[] Stores = ["set", "add", "cas"];
    private static readonly string[] Passed = ["get", "gets", "delete", "touch", "set", "add", "cas"];

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ProxyKind _kind;
    private readonly IPEndPoint _server;
    private readonly Task _serving;
    private int _accepted;
    private volatile bool _isServerAway;
    private volatile string? _refusalOfRemovals;

    public ScriptedProxy(ProxyKind kind, IPEndPoint server)
    {
        (_kind, _server) = (kind, server);
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>Where it listens.</summary>
    public string Address => _listener.LocalEndpoint.ToString()!;

    /// <summary>Connections accepted.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>The server behind it cannot be reached.</summary>
    public bool IsServerAway
    {
        get => _isServerAway;
        set => _isServerAway = value;
    }

    /// <summary>The line that answers every <c>delete</c>, instead of the server; null where there is none.</summary>
    public string? RefusalOfRemovals
    {
        get => _refusalOfRemovals;
        set => _refusalOfRemovals = value;
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
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(_server, _stop.Token);
                var requests = new Lines(client.GetStream());
                var replies = new Lines(server.GetStream());
                while (await requests.ReadAsync(_stop.Token) is { } line)
                {
                    byte[]? answer = await AnswerAsync(line, requests, server.GetStream(), replies);
                    if (answer is not null)
                    {
                        await client.GetStream().WriteAsync(answer, _stop.Token);
                    }

                    if (IsUnknown(line))
                    {
                        return;
                    }
                }
            }
            catch (Exception exception) when (exception is OperationCanceledException or IOException or SocketException)
            {
                // The test is over, or the client has heard enough.
            }
        }
    }

    private bool IsUnknown(string line)
    {
        string verb = line.Split(' ')[0];
        return !Passed.Contains(verb) && verb != "version" && !(_kind == ProxyKind.Mcrouter && verb == "stats");
    }

    private async Task<byte[]?> AnswerAsync(string line, Lines requests, NetworkStream server, Lines replies)
    {
        string[] words = line.Split(' ');
        byte[] data = Stores.Contains(words[0]) ? await requests.ReadAsync(int.Parse(words[4]) + 2, _stop.Token) : [];
        switch (_kind, words[0])
        {
            case (ProxyKind.Mcrouter, "version"):
                return Encoding.ASCII.GetBytes("VERSION 37.0.0 mcrouter\r\n");
            case (ProxyKind.Mcrouter, "stats"):
                return Encoding.ASCII.GetBytes("CLIENT_ERROR bad stats command\r\n");
            case (ProxyKind.Mcrouter, _) when IsUnknown(line):
                return Encoding.ASCII.GetBytes("CLIENT_ERROR malformed request\r\n");
            case (ProxyKind.Twemproxy, _) when IsUnknown(line):
                return null;
            case (_, "delete") when RefusalOfRemovals is { } refusal:
                return Encoding.ASCII.GetBytes(refusal + "\r\n");
            case (_, _) when IsServerAway:
                return Encoding.ASCII.GetBytes(
                    _kind == ProxyKind.Twemproxy ? "SERVER_ERROR Connection refused\r\n" : "SERVER_ERROR unavailable\r\n");
        }

        await server.WriteAsync((byte[])[.. Encoding.Latin1.GetBytes(line + "\r\n"), .. data], _stop.Token);
        var reply = new List<byte>();
        while (true)
        {
            string said = await replies.ReadAsync(_stop.Token) ?? throw new IOException("the server has ended");
            reply.AddRange(Encoding.Latin1.GetBytes(said + "\r\n"));
            if (!said.StartsWith("VALUE ", StringComparison.Ordinal))
            {
                return [.. reply];
            }

            reply.AddRange(await replies.ReadAsync(int.Parse(said.Split(' ')[3]) + 2, _stop.Token));
        }
    }

    /// <summary>Reads lines and data blocks of a stream.</summary>
    private sealed class Lines(NetworkStream stream)
    {
        private readonly byte[] _buffer = new byte[64 * 1024];
        private int _start;
        private int _end;

        public async Task<string?> ReadAsync(CancellationToken stop)
        {
            var line = new List<byte>();
            while (true)
            {
                if (_start == _end && !await FillAsync(stop))
                {
                    return null;
                }

                byte next = _buffer[_start++];
                if (next == '\n')
                {
                    return Encoding.Latin1.GetString([.. line]).TrimEnd('\r');
                }

                line.Add(next);
            }
        }

        public async Task<byte[]> ReadAsync(int length, CancellationToken stop)
        {
            byte[] data = new byte[length];
            for (int at = 0; at < length;)
            {
                if (_start == _end && !await FillAsync(stop))
                {
                    throw new IOException("a data block does not end");
                }

                int count = Math.Min(length - at, _end - _start);
                _buffer.AsSpan(_start, count).CopyTo(data.AsSpan(at));
                (_start, at) = (_start + count, at + count);
            }

            return data;
        }

        private async Task<bool> FillAsync(CancellationToken stop)
        {
            (_start, _end) = (0, await stream.ReadAsync(_buffer, stop));
            return _end != 0;
        }
    }
}
