using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Asks a configuration endpoint for its <see cref="ClusterConfiguration"/> on a connection of its own. Blocks: the
/// first question is a part of the application's start, which must not need the thread pool, and one body is enough.
/// </summary>
internal static class ConfigurationExchange
{
    /// <summary>Asks. Where there is no answer within the limits of a connect and an operation, or none to use, tells why.</summary>
    public static (ClusterConfiguration? Configuration, string? Error) Run(
        ConnectionSettings settings,
        ServerAddress endpoint,
        CancellationToken cancellationToken)
    {
        TimeSpan wait = settings.ConnectTimeout + settings.Clock.AttemptTimeout;
        using var limit = new CancellationTokenSource(wait, settings.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ClusterConfiguration.MaximumLength);
        try
        {
            using IBlockingTransport transport = settings.Factory.Connect(endpoint, settings.ConnectTimeout, settings.Clock.AttemptTimeout);
            using CancellationTokenRegistration ends = either.Token.UnsafeRegister(
                static state => ((ITransport)state!).Dispose(),
                transport);
            if (settings.Credentials is { } credentials && AuthenticationExchange.Run(credentials, transport) is { } refusal)
            {
                return (null, refusal);
            }

            transport.Send(ClusterConfiguration.Request);
            for (int length = 0; length < ClusterConfiguration.MaximumLength;)
            {
                int count = transport.Receive(buffer.AsSpan(length, ClusterConfiguration.MaximumLength - length));
                length += count;
                if (ClusterConfiguration.TryRead(buffer.AsSpan(0, length), out ClusterConfiguration? configuration, out string? error))
                {
                    return (configuration, error);
                }

                if (count == 0)
                {
                    return (null, "it closed the connection before it had answered");
                }
            }

            return (null, "its answer does not end");
        }
        catch (Exception exception)
        {
            // Whatever it is: the question is asked again.
            return (null, limit.IsCancellationRequested ? $"no answer within {wait.TotalSeconds} s" : exception.Message);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
