using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Asks a server for its <see cref="ServerStatistics"/> on connections of their own. An encrypted one is kept for the next
/// question, since its handshake costs far more than the question; it ends when none comes soon, and whenever another
/// connection of the node is opened, because that may lead elsewhere. A plain one is opened for each question. Thread-safe.
/// </summary>
internal sealed class StatisticsConnection(ConnectionSettings settings, ServerAddress address)
{
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Kept? _kept;
    private int _closings;
    private ServerAddress _server = address;

    /// <summary>Whom new connections ask. Another value is the same address under another name.</summary>
    public ServerAddress Server
    {
        get => Volatile.Read(ref _server);
        set => Volatile.Write(ref _server, value);
    }

    /// <summary>Asks, and returns null where there is no answer within the limits of a connect and an operation.</summary>
    public async Task<ServerStatistics?> AskAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(settings.ConnectTimeout + settings.Clock.AttemptTimeout, settings.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        Kept? kept;
        int closings;
        lock (_lock)
        {
            (kept, _kept) = (_kept, null);
            closings = _closings;
        }

        return (kept is null ? null : await AskAsync(kept.Transport, isNew: false, closings, either.Token).ConfigureAwait(false))
            ?? await AskAnewAsync(closings, either.Token).ConfigureAwait(false);
    }

    /// <summary>Ends what is kept, and keeps nothing of a question that is under way.</summary>
    public void Close()
    {
        Kept? kept;
        lock (_lock)
        {
            (kept, _kept) = (_kept, null);
            _closings++;
        }

        kept?.Transport.Dispose();
    }

    private async Task<ServerStatistics?> AskAnewAsync(int closings, CancellationToken cancellationToken)
    {
        try
        {
            IAsyncTransport transport = await settings
                .Factory.ConnectAsync(Server, settings.ConnectTimeout, cancellationToken)
                .ConfigureAwait(false);
            return await AskAsync(transport, isNew: true, closings, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Whatever it is, the node's own connections meet it too, and they log it and act on it.
            return null;
        }
    }

    /// <summary>Asks on a connection, which is kept or ended then.</summary>
    private async Task<ServerStatistics?> AskAsync(IAsyncTransport transport, bool isNew, int closings, CancellationToken cancellationToken)
    {
        ServerStatistics? statistics = null;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ServerStatistics.MaximumLength);
        try
        {
            using CancellationTokenRegistration ends = cancellationToken.UnsafeRegister(
                static state => ((ITransport)state!).Dispose(),
                transport);
            bool isRefused = isNew
                && settings.Credentials is { } credentials
                && await AuthenticationExchange.RunAsync(credentials, transport).ConfigureAwait(false) is not null;
            if (isRefused)
            {
                // The node's own connections are refused too, and they log it.
                transport.Dispose();
                return null;
            }

            await transport.SendAsync(ServerStatistics.Request.ToArray()).ConfigureAwait(false);
            var progress = ServerStatistics.Progress.Incomplete;
            for (int length = 0, count = 1; count != 0 && length < buffer.Length && progress == ServerStatistics.Progress.Incomplete;)
            {
                count = await transport.ReceiveAsync(buffer.AsMemory(length)).ConfigureAwait(false);
                length += count;
                progress = ServerStatistics.TryRead(buffer.AsSpan(0, length), out statistics);
            }
        }
        catch (Exception)
        {
            // As above.
            statistics = null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (statistics is null || !transport.IsEncrypted || !TryKeep(transport, closings))
        {
            transport.Dispose();
        }

        return statistics;
    }

    private bool TryKeep(IAsyncTransport transport, int closings)
    {
        var kept = new Kept(transport);
        lock (_lock)
        {
            if (_closings != closings || _kept is not null)
            {
                return false;
            }

            _kept = kept;
        }

        _ = EndAsync(kept);
        return true;
    }

    private async Task EndAsync(Kept kept)
    {
        await Task.Delay(KeptFor, settings.TimeProvider, CancellationToken.None).ConfigureAwait(false);
        lock (_lock)
        {
            if (_kept != kept)
            {
                return;
            }

            _kept = null;
        }

        kept.Transport.Dispose();
    }

    /// <summary>One keeping: the next one of the same connection is another.</summary>
    private sealed class Kept(IAsyncTransport transport)
    {
        public IAsyncTransport Transport => transport;
    }
}
