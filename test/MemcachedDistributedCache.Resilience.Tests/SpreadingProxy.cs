using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Net;
using System.Text;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// One port before several memcached processes, as memcached's own proxy and ElastiCache Serverless are: each key has
/// its server, which nobody is told. Statistics are refused. What a test wants lost is lost.
/// </summary>
internal sealed class SpreadingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<TcpClient, Task> _conversations = new();
    private readonly ConcurrentQueue<string> _heard = new();
    private readonly IReadOnlyList<MemcachedProcess> _servers;
    private readonly Task _serving;

    public SpreadingProxy(params IReadOnlyList<MemcachedProcess> servers)
    {
        _servers = servers;
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>Where it listens.</summary>
    public string Server => _listener.LocalEndpoint.ToString()!;

    /// <summary>The first line of each request.</summary>
    public IReadOnlyCollection<string> Heard => _heard;

    /// <summary>Requests that no server hears of, and whose connection ends.</summary>
    public Func<string, bool> IsLost { get; set; } = static _ => false;

    /// <summary>How long to wait before a request is passed on; what comes behind it on its connection waits too.</summary>
    public Func<string, Task> Holding { get; set; } = static _ => Task.CompletedTask;

    /// <summary>Ends the connections that are open; new ones are taken.</summary>
    public void Cut()
    {
        foreach (TcpClient client in _conversations.Keys)
        {
            client.Dispose();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        await Task.WhenAll(_conversations.Values);
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
                var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _conversations[client] = TalkAsync(client, begun.Task);
                begun.SetResult();
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task TalkAsync(TcpClient client, Task begun)
    {
        await begun;
        var servers = new List<TcpClient>();
        try
        {
            client.NoDelay = true;
            var from = new Wire(client.GetStream());
            var wires = new Wire?[_servers.Count];

            while (await from.ReadLineAsync(_stop.Token) is { } line)
            {
                string[] words = line.Split(' ');
                byte[] data = words[0] == "ms" ? await from.ReadAsync(int.Parse(words[2]) + 2, _stop.Token) : [];
                _heard.Enqueue(line);
                if (IsLost(line))
                {
                    return;
                }

                await Holding(line).WaitAsync(_stop.Token);
                byte[] reply = words[0] switch
                {
                    "version" => "VERSION 1.6.18\r\n"u8.ToArray(),
                    "mn" => "MN\r\n"u8.ToArray(),
                    "mg" or "ms" or "md" or "ma" => await AskAsync(OwnerOf(words[1]), wires, servers, line, data),
                    _ => "ERROR\r\n"u8.ToArray(),
                };
                await from.WriteAsync(reply, _stop.Token);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or ObjectDisposedException or SocketException)
        {
            // The test is over, or one of them has heard enough.
        }
        finally
        {
            _conversations.TryRemove(client, out _);
            servers.ForEach(static server => server.Dispose());
            client.Dispose();
        }
    }

    /// <summary>A server that is away costs its own keys only, as behind memcached's own proxy.</summary>
    private async Task<byte[]> AskAsync(int owner, Wire?[] wires, List<TcpClient> clients, string line, byte[] data)
    {
        try
        {
            if (wires[owner] is null)
            {
                var client = new TcpClient { NoDelay = true };
                clients.Add(client);
                await client.ConnectAsync(_servers[owner].EndPoint, _stop.Token);
                wires[owner] = new Wire(client.GetStream());
            }

            return await AskAsync(wires[owner]!, line, data);
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            wires[owner] = null;
            return "SERVER_ERROR backend failure\r\n"u8.ToArray();
        }
    }

    private async Task<byte[]> AskAsync(Wire server, string line, byte[] data)
    {
        await server.WriteAsync([.. Encoding.Latin1.GetBytes(line + "\r\n"), .. data], _stop.Token);
        string reply = await server.ReadLineAsync(_stop.Token) ?? throw new IOException("the server is gone");
        byte[] value = reply.StartsWith("VA ", StringComparison.Ordinal)
            ? await server.ReadAsync(int.Parse(reply.Split(' ')[1]) + 2, _stop.Token)
            : [];
        return [.. Encoding.Latin1.GetBytes(reply + "\r\n"), .. value];
    }

    /// <summary>Which of the servers has a key, with the cache's namespace before it.</summary>
    public int OwnerOf(string key) => key.Sum(static letter => letter) % _servers.Count;

    /// <summary>Lines and blocks of one stream.</summary>
    private sealed class Wire(NetworkStream stream)
    {
        private readonly List<byte> _left = [];
        private readonly byte[] _buffer = new byte[8192];

        public async Task<string?> ReadLineAsync(CancellationToken cancellationToken)
        {
            int end;
            while ((end = _left.IndexOf((byte)'\n')) < 0)
            {
                if (!await FillAsync(cancellationToken))
                {
                    return null;
                }
            }

            return Encoding.Latin1.GetString(Take(end + 1)).TrimEnd('\r', '\n');
        }

        public async Task<byte[]> ReadAsync(int count, CancellationToken cancellationToken)
        {
            while (_left.Count < count)
            {
                if (!await FillAsync(cancellationToken))
                {
                    throw new IOException("the stream has ended");
                }
            }

            return Take(count);
        }

        public ValueTask WriteAsync(byte[] bytes, CancellationToken cancellationToken) => stream.WriteAsync(bytes, cancellationToken);

        private byte[] Take(int count)
        {
            byte[] taken = [.. _left[..count]];
            _left.RemoveRange(0, count);
            return taken;
        }

        private async Task<bool> FillAsync(CancellationToken cancellationToken)
        {
            int count = await stream.ReadAsync(_buffer, cancellationToken);
            _left.AddRange(_buffer.AsSpan(0, count));
            return count != 0;
        }
    }
}
