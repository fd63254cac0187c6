using System.Net;
using System.Text;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>An in-memory connection: keeps what is sent and hands out what the test says.</summary>
internal sealed class FakeTransport : IAsyncTransport, IBlockingTransport
{
    public const string Welcome = "VERSION 1.6.18\r\nSTAT item_size_max 1048576\r\nEND\r\nMN\r\n";

    /// <summary>Of a version that is not asked for its statistics, on connections of their own.</summary>
    public const string Modern = "VERSION 1.6.24\r\nSTAT item_size_max 1048576\r\nEND\r\nMN\r\n";

    private readonly object _gate = new();
    private readonly List<byte> _incoming = [];
    private readonly StringBuilder _sent = new();
    private TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _closed;
    private bool _isAwaited;

    /// <summary>Where it leads.</summary>
    public IPAddress? Address { get; init; }

    public IPAddress? RemoteAddress => Address;

    /// <summary>What the server says to the handshake, or null for silence.</summary>
    public string? Handshake { get; init; } = Welcome;

    /// <summary>Runs before bytes count as sent; may block, wait or throw.</summary>
    public Func<ReadOnlyMemory<byte>, Task>? Sending { get; set; }

    /// <summary>Runs as the connection is ended from this side.</summary>
    public Action? Disposing { get; set; }

    /// <summary>Answers what was sent.</summary>
    public Func<string, string?>? Answer { get; set; }

    /// <summary>Whether a probe alone is answered, as by a server that is well.</summary>
    public bool AnswersNoOp { get; init; }

    /// <summary>The most bytes that one receive gives.</summary>
    public int Chunk { get; set; } = int.MaxValue;

    public bool IsDisposed { get; private set; }

    public int Sends { get; private set; }

    /// <summary>Each blocking send had to wait.</summary>
    public bool Waits { get; init; }

    /// <summary>What each blocking send after the handshake was told: when the send that it is a part of had to wait; 0 for never.</summary>
    public List<long> Since { get; } = [];

    /// <summary>How many senders are at work at once, at most; more than one is a fault of the connection.</summary>
    public int MostSenders { get; private set; }

    private int _senders;

    /// <summary>All that was sent after the handshake.</summary>
    public string Sent
    {
        get
        {
            lock (_gate)
            {
                return _sent.ToString();
            }
        }
    }

    /// <summary>The connection has dealt with every byte of the replies, and waits for more.</summary>
    public bool IsReadUp
    {
        get
        {
            lock (_gate)
            {
                return _incoming.Count == 0 && _isAwaited;
            }
        }
    }

    public void Reply(string text) => Reply(Encoding.Latin1.GetBytes(text));

    public void Reply(byte[] bytes)
    {
        lock (_gate)
        {
            _incoming.AddRange(bytes);
            Wake_NeedsLock();
        }
    }

    /// <summary>The server closes.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            Wake_NeedsLock();
        }
    }

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer)
    {
        while (true)
        {
            Task arrived;
            lock (_gate)
            {
                if (TryTake_NeedsLock(buffer.Span, out int count))
                {
                    return count;
                }

                _isAwaited = true;
                arrived = _arrived.Task;
            }

            await arrived.ConfigureAwait(false);
        }
    }

    public bool WaitToReceive(TimeSpan limit)
    {
        lock (_gate)
        {
            return _incoming.Count != 0 || _closed || Monitor.Wait(_gate, limit);
        }
    }

    public int Receive(Span<byte> buffer)
    {
        lock (_gate)
        {
            int count;
            while (!TryTake_NeedsLock(buffer, out count))
            {
                _isAwaited = true;
                Monitor.Wait(_gate);
            }

            return count;
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> data)
    {
        if (EnterSend(data.Span))
        {
            return;
        }

        try
        {
            if (Sending is { } sending)
            {
                await sending(data).ConfigureAwait(false);
            }

            Note(data.Span);
        }
        finally
        {
            LeaveSend();
        }
    }

    public void Send(ReadOnlySpan<byte> data, ref long waitingSince)
    {
        if (!EnterSend(data))
        {
            Since.Add(waitingSince);
            waitingSince = Waits ? 1 : waitingSince;
            try
            {
                Sending?.Invoke(data.ToArray()).GetAwaiter().GetResult();
                Note(data);
            }
            finally
            {
                LeaveSend();
            }
        }
    }

    public void Dispose()
    {
        Disposing?.Invoke();
        lock (_gate)
        {
            IsDisposed = true;
            Wake_NeedsLock();
        }
    }

    private bool EnterSend(ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            if (data.SequenceEqual("version\r\nstats settings\r\nmn\r\n"u8) || (Sends == 0 && data.SequenceEqual("version\r\n"u8)))
            {
                _incoming.AddRange(Encoding.Latin1.GetBytes(Handshake ?? ""));
                Wake_NeedsLock();
                return true;
            }

            Sends++;
            MostSenders = Math.Max(MostSenders, ++_senders);
            return false;
        }
    }

    private void LeaveSend()
    {
        lock (_gate)
        {
            _senders--;
        }
    }

    private void Note(ReadOnlySpan<byte> data)
    {
        string text = Encoding.Latin1.GetString(data);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            _sent.Append(text);
            string? answer = Answer?.Invoke(text) ?? (AnswersNoOp && text.EndsWith("mn\r\n", StringComparison.Ordinal) ? "MN\r\n" : null);
            if (answer is not null)
            {
                _incoming.AddRange(Encoding.Latin1.GetBytes(answer));
                Wake_NeedsLock();
            }
        }
    }

    private bool TryTake_NeedsLock(Span<byte> buffer, out int count)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        _isAwaited = false;
        count = Math.Min(Math.Min(buffer.Length, Chunk), _incoming.Count);
        for (int i = 0; i < count; i++)
        {
            buffer[i] = _incoming[i];
        }

        _incoming.RemoveRange(0, count);
        return count != 0 || _closed;
    }

    private void Wake_NeedsLock()
    {
        _arrived.TrySetResult();
        _arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Monitor.PulseAll(_gate);
    }
}

/// <summary>Opens fake connections as the test says.</summary>
/// <param name="open">Given the number of the attempt, from 1, and the caller's cancellation; may wait or throw.</param>
internal sealed class FakeFactory(Func<int, CancellationToken, Task<FakeTransport>> open) : ConnectionFactory
{
    private readonly Lock _lock = new();
    private readonly List<FakeTransport> _opened = [];
    private int _attempts;
    private int _atOnce;

    public FakeFactory(Func<int, FakeTransport> open)
        : this((attempt, _) => Task.FromResult(open(attempt)))
    {
    }

    /// <summary>Every attempt opens a server that shakes hands and says no more.</summary>
    public FakeFactory()
        : this(static _ => new FakeTransport())
    {
    }

    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>The address of the latest attempt.</summary>
    public ServerAddress? Address { get; private set; }

    /// <summary>The most attempts that were under way at once.</summary>
    public int MostAtOnce { get; private set; }

    public IReadOnlyList<FakeTransport> Opened
    {
        get
        {
            lock (_lock)
            {
                return [.. _opened];
            }
        }
    }

    /// <summary>Runs as an address is preferred; may block.</summary>
    public Action<IPAddress>? Preferring { get; set; }

    public override void Prefer(ServerAddress address, IPAddress first) => Preferring?.Invoke(first);

    public override async Task<IAsyncTransport> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken)
    {
        int attempt = Begin(address);
        try
        {
            return Keep(await open(attempt, cancellationToken).ConfigureAwait(false));
        }
        finally
        {
            Interlocked.Decrement(ref _atOnce);
        }
    }

    public override IBlockingTransport Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout)
    {
        int attempt = Begin(address);
        try
        {
            return Keep(open(attempt, CancellationToken.None).GetAwaiter().GetResult());
        }
        finally
        {
            Interlocked.Decrement(ref _atOnce);
        }
    }

    private int Begin(ServerAddress address)
    {
        lock (_lock)
        {
            Address = address;
            MostAtOnce = Math.Max(MostAtOnce, Interlocked.Increment(ref _atOnce));
            return Interlocked.Increment(ref _attempts);
        }
    }

    private FakeTransport Keep(FakeTransport transport)
    {
        lock (_lock)
        {
            _opened.Add(transport);
        }

        return transport;
    }
}
