using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Security;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// Encrypts the connections of another factory. The handshake has the rest of the limit of the connect, less a little, so that
/// its own error is told and not only that time ran out.
/// </summary>
internal sealed class TlsConnectionFactory(ConnectionFactory plain, TlsSettings settings) : ConnectionFactory
{
    private const double Share = 0.9;

    private readonly ConcurrentDictionary<ServerAddress, CallbackTurn> _awaited = new();
    private readonly ConcurrentDictionary<ServerAddress, CallbackTurn> _blocking = new();

    /// <inheritdoc/>
    public override async Task<IAsyncTransport> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        CallbackTurn? turn = TurnOf(_awaited, address);
        IAsyncTransport transport = await plain.ConnectAsync(address, connectTimeout, cancellationToken).ConfigureAwait(false);
        var handshake = new TlsHandshake(settings, address, turn);
        var inner = new AsyncTransportStream(transport);
        var stream = new SslStream(inner);
        Task authenticating = Task.CompletedTask;
        CallbackTurn? taken = null;
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(Left(began, connectTimeout));
            if (turn is not null)
            {
                await turn.TakeAsync(Left(began, connectTimeout), limit.Token).ConfigureAwait(false);
                taken = turn;
            }

            // On another thread than that which goes on to read: callbacks of the application may take their time, or all time.
            authenticating = Task.Run(() => stream.AuthenticateAsClientAsync(handshake.Options(connectTimeout / 2), limit.Token), limit.Token);
            await authenticating.WaitAsync(limit.Token).ConfigureAwait(false);
            taken?.Release();
            return new TlsConnection(transport, stream);
        }
        catch (Exception exception)
        {
            transport.Dispose();

            // When the handshake has ended, which a callback of the application may hold up.
            _ = authenticating.ContinueWith(
                ended =>
                {
                    _ = ended.Exception;
                    stream.Dispose();
                    taken?.Release();
                },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
            if (cancellationToken.IsCancellationRequested)
            {
                throw;
            }

            throw handshake.Explain(exception, inner, connectTimeout);
        }
    }

    /// <inheritdoc/>
    public override IBlockingTransport Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout)
    {
        long began = Stopwatch.GetTimestamp();
        CallbackTurn? turn = TurnOf(_blocking, address);
        IBlockingTransport transport = plain.Connect(address, connectTimeout, sendTimeout);
        var handshake = new TlsHandshake(settings, address, turn);
        var inner = new BlockingTransportStream(transport, () => Left(began, connectTimeout));
        var stream = new SslStream(inner);
        CallbackTurn? taken = null;
        try
        {
            turn?.Take(Left(began, connectTimeout));
            taken = turn;
            stream.AuthenticateAsClient(handshake.Options(connectTimeout / 2));
            inner.IsOpen = true;
            return new BlockingTlsConnection(transport, inner, stream);
        }
        catch (Exception exception)
        {
            transport.Dispose();
            stream.Dispose();
            throw handshake.Explain(exception, inner, connectTimeout);
        }
        finally
        {
            taken?.Release();
        }
    }

    /// <inheritdoc/>
    public override void Prefer(ServerAddress address, IPAddress first) => plain.Prefer(address, first);

    /// <summary>The turn of the application's callbacks, unless a callback holds it for ever; null where there are none.</summary>
    private CallbackTurn? TurnOf(ConcurrentDictionary<ServerAddress, CallbackTurn> turns, ServerAddress address)
    {
        CallbackTurn? turn = settings.Configure is null ? null : turns.GetOrAdd(address, static _ => new CallbackTurn());
        turn?.ThrowIfHeld();
        return turn;
    }

    private static TimeSpan Left(long began, TimeSpan connectTimeout)
    {
        TimeSpan left = (connectTimeout - Stopwatch.GetElapsedTime(began)) * Share;
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}
