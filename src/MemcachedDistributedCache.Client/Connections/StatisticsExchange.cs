using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>Asks a server for its <see cref="ServerStatistics"/> on a connection of its own.</summary>
internal static class StatisticsExchange
{
    /// <summary>Asks, and returns null where there is no answer within the limits of a connect and an operation.</summary>
    public static async Task<ServerStatistics?> RunAsync(ConnectionSettings settings, ServerAddress address, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(settings.ConnectTimeout + settings.Clock.AttemptTimeout, settings.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ServerStatistics.MaximumLength);
        try
        {
            using IAsyncTransport transport = await settings
                .Factory.ConnectAsync(address, settings.ConnectTimeout, either.Token)
                .ConfigureAwait(false);
            using CancellationTokenRegistration ends = either.Token.UnsafeRegister(
                static state => ((ITransport)state!).Dispose(),
                transport);
            await transport.SendAsync(ServerStatistics.Request.ToArray()).ConfigureAwait(false);
            for (int length = 0; length < buffer.Length;)
            {
                int count = await transport.ReceiveAsync(buffer.AsMemory(length)).ConfigureAwait(false);
                length += count;
                ServerStatistics.Progress progress = ServerStatistics.TryRead(buffer.AsSpan(0, length), out ServerStatistics? statistics);
                if (progress == ServerStatistics.Progress.Complete)
                {
                    return statistics;
                }

                if (count == 0 || progress == ServerStatistics.Progress.Invalid)
                {
                    return null;
                }
            }

            return null;
        }
        catch (Exception)
        {
            // Whatever it is, the node's own connections meet it too, and they log it and act on it.
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
