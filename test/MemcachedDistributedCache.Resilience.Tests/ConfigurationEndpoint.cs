using System.Net.Sockets;
using System.Net;
using System.Text;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A configuration endpoint on loopback, as a cluster of ElastiCache has one. It says what a test wants, and can be away.</summary>
internal sealed class ConfigurationEndpoint : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _conversations = [];
    private TcpListener _listener = new(IPAddress.Loopback, 0);
    private Task _serving;
    private int _asked;

    public ConfigurationEndpoint()
    {
        _listener.Start();
        Address = _listener.LocalEndpoint.ToString()!;
        _serving = ServeAsync(_listener);
    }

    /// <summary>Where it listens, also while it is away.</summary>
    public string Address { get; }

    /// <summary>How often it has been asked.</summary>
    public int Asked => Volatile.Read(ref _asked);

    /// <summary>The bytes of the answer; null for silence.</summary>
    public string? Answer { get; set; } = "ERROR\r\n";

    /// <summary>Answers with a list from now on.</summary>
    public void Tell(long version, params IEnumerable<string> servers)
    {
        string payload = $"{version}\n{string.Join(' ', servers.Select(static server => $"{server.Split(':')[0]}||{server.Split(':')[1]}"))}\n";
        Answer = $"CONFIG cluster 0 {payload.Length}\r\n{payload}\r\nEND\r\n";
    }

    /// <summary>Refuses connections.</summary>
    public async Task GoAwayAsync()
    {
        _listener.Dispose();
        await _serving;
    }

    /// <summary>Listens again where it listened.</summary>
    public void ComeBack()
    {
        _listener = new TcpListener(IPEndPoint.Parse(Address));
        _listener.Start();
        _serving = ServeAsync(_listener);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving;
        await Task.WhenAll(_conversations);
        _stop.Dispose();
    }

    private async Task ServeAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                _conversations.Add(TalkAsync(await listener.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The test is over, or wants it away: the listener is disposed or, between two connections, listens no more.
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
                while (await reader.ReadLineAsync(_stop.Token) is { } line)
                {
                    string? answer = line == "config get cluster" ? Answer : "ERROR\r\n";
                    if (answer is not null)
                    {
                        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(answer), _stop.Token);
                    }

                    Interlocked.Increment(ref _asked);
                }
            }
            catch (Exception exception) when (exception is OperationCanceledException or IOException)
            {
                // The test is over, or the client has heard enough.
            }
        }
    }
}
