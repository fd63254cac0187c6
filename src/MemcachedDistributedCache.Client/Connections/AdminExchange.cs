using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>Asks a server one <see cref="AdminCommand"/> on a connection of its own, which is closed after it.</summary>
internal static class AdminExchange
{
    /// <summary>Asks; <see cref="AdminReply.None"/> or <see cref="AdminReply.Lost"/> where there is no answer within the limits of a connect and an operation.</summary>
    public static async Task<AdminReply> AskAsync(
        ConnectionSettings settings,
        ServerAddress address,
        AdminCommand command,
        CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(settings.ConnectTimeout + settings.Clock.AttemptTimeout, settings.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        bool wasSent = false;
        try
        {
            using IAsyncTransport transport = await settings
                .Factory.ConnectAsync(address, settings.ConnectTimeout, either.Token)
                .ConfigureAwait(false);
            using CancellationTokenRegistration ends = either.Token.UnsafeRegister(
                static state => ((ITransport)state!).Dispose(),
                transport);
            if (settings.Credentials is { } credentials
                && await AuthenticationExchange.RunAsync(credentials, transport).ConfigureAwait(false) is { } refusal)
            {
                return new AdminReply(false, refusal, []);
            }

            wasSent = true;
            await transport.SendAsync(command.ToRequest()).ConfigureAwait(false);
            return await ReadAsync(transport, new AdminReply.Reader(command)).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Whatever it is, the node's own connections meet it too, and they log it and act on it.
            return wasSent ? AdminReply.Lost : AdminReply.None;
        }
    }

    private static async Task<AdminReply> ReadAsync(IAsyncTransport transport, AdminReply.Reader reader)
    {
        byte[] buffer = ReadBuffer.Rent();
        try
        {
            int start = 0;
            int end = 0;
            for (int total = 0; total < AdminReply.MaximumLength;)
            {
                ReadBuffer.MakeRoom(ref buffer, ref start, ref end);
                int count = await transport.ReceiveAsync(buffer.AsMemory(end)).ConfigureAwait(false);
                if (count == 0)
                {
                    break;
                }

                total += count;
                end += count;
                if (TryRead(buffer.AsSpan(0, end), ref start, reader, out AdminReply? reply))
                {
                    return reply ?? AdminReply.Lost;
                }
            }

            return AdminReply.Lost;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads the lines that have come; true once the reply is over, without one where a line is none.</summary>
    private static bool TryRead(ReadOnlySpan<byte> received, ref int start, AdminReply.Reader reader, out AdminReply? reply)
    {
        reply = null;
        while (true)
        {
            switch (ReplyFrame.TryFindLine(received[start..], out int length))
            {
                case ReplyFrame.Result.Incomplete:
                    return false;
                case ReplyFrame.Result.Invalid:
                    return true;
            }

            reply = reader.Read(received.Slice(start, length));
            start += length + 2;
            if (reply is not null)
            {
                return true;
            }
        }
    }
}
