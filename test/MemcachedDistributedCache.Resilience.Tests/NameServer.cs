using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Net;
using System.Text;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A DNS server on loopback that knows SRV records only (RFC 1035, RFC 2782), over UDP.</summary>
internal sealed class NameServer : IAsyncDisposable
{
    private const int HeaderLength = 12;
    private const int Srv = 33;

    private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, Record[]> _services = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly Task _serving;
    private int _silences;

    public NameServer() => _serving = ServeAsync();

    /// <summary>Where it listens.</summary>
    public IPEndPoint EndPoint => (IPEndPoint)_socket.Client.LocalEndPoint!;

    /// <summary>The names that have been asked for.</summary>
    public IReadOnlyCollection<string> Asked => _asked;

    /// <summary>The response code of every answer: 0 to answer truly, 2 for a server that has failed.</summary>
    public int Code { get; set; }

    /// <summary>Says nothing.</summary>
    public bool IsSilent { get; set; }

    /// <summary>The questions that it has heard and not answered.</summary>
    public int Silences => Volatile.Read(ref _silences);

    /// <summary>The records of a name from now on; a name that was never set is not there.</summary>
    public void Set(string name, params Record[] records) => _services[name] = records;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _socket.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                UdpReceiveResult question = await _socket.ReceiveAsync(_stop.Token);
                if (IsSilent)
                {
                    Interlocked.Increment(ref _silences);
                }
                else
                {
                    await _socket.SendAsync(Answer(question.Buffer), question.RemoteEndPoint, _stop.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private byte[] Answer(byte[] question)
    {
        int end = HeaderLength;
        var labels = new List<string>();
        while (question[end] != 0)
        {
            labels.Add(Encoding.ASCII.GetString(question, end + 1, question[end]));
            end += 1 + question[end];
        }

        end += 5; // the root, type and class
        string name = string.Join('.', labels);
        _asked.Enqueue(name);
        bool isKnown = _services.TryGetValue(name, out Record[]? records);
        bool isSrv = BinaryPrimitives.ReadUInt16BigEndian(question.AsSpan(end - 4)) == Srv;
        records = isKnown && isSrv && Code == 0 ? records! : [];
        var answer = new List<byte>();
        answer.AddRange(question.AsSpan(0, 2));
        Add(answer, 0x8580 | (Code != 0 ? Code : isKnown ? 0 : 3), 1, records.Length, 0, 0);
        answer.AddRange(question.AsSpan(HeaderLength, end - HeaderLength));
        foreach (Record record in records)
        {
            byte[] target = [.. record.Host.Split('.').SelectMany(static label => Encoding.ASCII.GetBytes(label).Prepend((byte)label.Length)), 0];
            Add(answer, 0xc000 | HeaderLength, Srv, 1, 0, 5, 6 + target.Length, record.Priority, record.Weight, record.Port);
            answer.AddRange(target);
        }

        return [.. answer];
    }

    private static void Add(List<byte> to, params ReadOnlySpan<int> numbers)
    {
        foreach (int number in numbers)
        {
            to.Add((byte)(number >> 8));
            to.Add((byte)number);
        }
    }

    internal sealed record Record(string Host, int Port, int Weight = 0, int Priority = 0);
}
