using System.Buffers;
using System.Net.Sockets;
using System.Net.Security;
using System.Net;
using System.Security.Authentication;
using MemcachedDistributedCache.Embedded.Commands;
using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Net;

/// <summary>
/// One client: reads, lets the session work, and sends all replies of a read in one write. A client that does not read its
/// replies stops only itself, because nothing is shared while a write waits.
/// </summary>
#pragma warning disable CA1001 // Who runs it disposes of what it opens, at the end of RunAsync.
internal sealed class ClientConnection
#pragma warning restore CA1001
{
    private const int InputBytes = 16 * 1024;

    /// <summary>
    /// memcached's bound for a retrieval line is the machine's memory; this is ours. All connections together hold no
    /// more than the server has for lines, and beyond either bound a client is told what memcached tells when it finds
    /// no memory, and closed.
    /// </summary>
    private const int LongestRetrieval = 8 * 1024 * 1024;

    private readonly Socket _socket;
    private readonly SslServerAuthenticationOptions? _tls;
    private readonly ServerState _server;
    private readonly ReplyBuffer _reply = new();
    private readonly CommandContext _context;
    private readonly Session _session;
    private SslStream? _encrypted;
    private byte[] _input = ArrayPool<byte>.Shared.Rent(InputBytes);
    private int _start;
    private int _end;

    public ClientConnection(Socket socket, ServerState server, ItemStore store, SslServerAuthenticationOptions? tls)
    {
        _socket = socket;
        _tls = tls;
        _server = server;
        _context = new CommandContext(store, server, _reply);
        _session = new Session(_context);
        Remote = socket.RemoteEndPoint;
    }

    public EndPoint? Remote { get; }

    public uint LastCommandAt => _context.LastCommandAt;

    /// <summary>Serves the client until it leaves, breaks the protocol or is cut off; never throws.</summary>
    public async Task RunAsync()
    {
        try
        {
            if (_tls is not null)
            {
                _encrypted = new SslStream(new NetworkStream(_socket, ownsSocket: false));
                await _encrypted.AuthenticateAsServerAsync(_tls).ConfigureAwait(false);
            }

            while (await ReadAsync().ConfigureAwait(false) && await ExecuteAsync().ConfigureAwait(false))
            {
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException or AuthenticationException)
        {
            // The client is gone, knows no TLS, or the node stops: there is nobody to tell.
        }
        finally
        {
            Close();
            await DisposeEncryptedAsync().ConfigureAwait(false);
            _session.Abandon();
            _reply.Release();
            _server.GiveLineMemoryBack(LineBytes);
            ArrayPool<byte>.Shared.Return(_input);
        }
    }

    public void Close() => _socket.Dispose();

    private async ValueTask<bool> ReadAsync()
    {
        if (!TryMakeRoom())
        {
            _reply.Line("SERVER_ERROR out of memory reading request"u8);
            await SendAsync(_reply.Written).ConfigureAwait(false);
            return false;
        }

        ValueTask<int> reading = _encrypted is null ? _socket.ReceiveAsync(_input.AsMemory(_end)) : _encrypted.ReadAsync(_input.AsMemory(_end));
        int count = await reading.ConfigureAwait(false);
        _server.CountRead(count);
        _end += count;
        return count > 0;
    }

    /// <summary>The input buffer's bytes beyond those that every connection has.</summary>
    private int LineBytes => _input.Length - InputBytes;

    private bool TryMakeRoom()
    {
        if (_start == _end)
        {
            _start = 0;
            _end = 0;
            if (LineBytes > 0)
            {
                _server.GiveLineMemoryBack(LineBytes);
                Swap(InputBytes);
            }
        }
        else if (_end == _input.Length && _start > 0)
        {
            Swap(_input.Length);
        }
        else if (_end == _input.Length)
        {
            if (_input.Length >= LongestRetrieval || !_server.TryTakeLineMemory(_input.Length))
            {
                return false;
            }

            Swap(_input.Length * 2);
        }

        return true;
    }

    private void Swap(int size)
    {
        byte[] other = ArrayPool<byte>.Shared.Rent(size);
        _input.AsSpan(_start, _end - _start).CopyTo(other);
        ArrayPool<byte>.Shared.Return(_input);
        _input = other;
        _end -= _start;
        _start = 0;
    }

    private async ValueTask<bool> ExecuteAsync()
    {
        while (true)
        {
            SessionStep step = _session.Advance(_input.AsSpan(_start, _end - _start), out int consumed);
            _start += consumed;
            if (step == SessionStep.Abort)
            {
                _reply.DropUnsealed();
            }

            if (_reply.Length > 0)
            {
                await SendAsync(_reply.Written).ConfigureAwait(false);
                _reply.Clear();
            }

            if (step == SessionStep.NeedRoom)
            {
                continue;
            }

            return step == SessionStep.NeedInput;
        }
    }

    private ValueTask DisposeEncryptedAsync() => _encrypted?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        if (_encrypted is not null)
        {
            await _encrypted.WriteAsync(bytes).ConfigureAwait(false);
            _server.CountWritten(bytes.Length);
            return;
        }

        while (bytes.Length > 0)
        {
            int sent = await _socket.SendAsync(bytes).ConfigureAwait(false);
            _server.CountWritten(sent);
            bytes = bytes[sent..];
        }
    }
}
