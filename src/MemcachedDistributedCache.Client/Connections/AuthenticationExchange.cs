using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Authenticates a connection before anything else is sent (<see cref="Authentication"/>). Its time limit is the connection's. Both
/// twins return what is wrong, or null.
/// </summary>
internal static class AuthenticationExchange
{
    /// <summary>Sends user and password to a server that asks for them.</summary>
    public static async Task<string?> RunAsync(Credentials credentials, IAsyncTransport transport)
    {
        byte[] buffer = new byte[Authentication.MaximumReply];
        await transport.SendAsync(Authentication.Question.ToArray()).ConfigureAwait(false);
        Authentication.Need need;
        string? error;
        int length = 0;
        do
        {
            int count = await transport.ReceiveAsync(buffer.AsMemory(length)).ConfigureAwait(false);
            length += count;
            need = count == 0 ? Closed(transport, out error) : Authentication.ReadNeed(buffer.AsSpan(0, length), out error);
        }
        while (need == Authentication.Need.Unknown);
        if (need != Authentication.Need.Password || !credentials.TryGetPassword(out string password, out error))
        {
            return error;
        }

        await transport.SendAsync(Authentication.Request(credentials.UserName, password)).ConfigureAwait(false);
        bool isOver;
        length = 0;
        do
        {
            int count = await transport.ReceiveAsync(buffer.AsMemory(length)).ConfigureAwait(false);
            length += count;
            isOver = count == 0 ? IsClosed(transport, out error) : Authentication.TryReadOutcome(buffer.AsSpan(0, length), out error);
        }
        while (!isOver);
        return error;
    }

    /// <summary>The blocking twin of <see cref="RunAsync"/>.</summary>
    public static string? Run(Credentials credentials, IBlockingTransport transport)
    {
        byte[] buffer = new byte[Authentication.MaximumReply];
        transport.Send(Authentication.Question);
        Authentication.Need need;
        string? error;
        int length = 0;
        do
        {
            int count = transport.Receive(buffer.AsSpan(length));
            length += count;
            need = count == 0 ? Closed(transport, out error) : Authentication.ReadNeed(buffer.AsSpan(0, length), out error);
        }
        while (need == Authentication.Need.Unknown);
        if (need != Authentication.Need.Password || !credentials.TryGetPassword(out string password, out error))
        {
            return error;
        }

        transport.Send(Authentication.Request(credentials.UserName, password));
        bool isOver;
        length = 0;
        do
        {
            int count = transport.Receive(buffer.AsSpan(length));
            length += count;
            isOver = count == 0 ? IsClosed(transport, out error) : Authentication.TryReadOutcome(buffer.AsSpan(0, length), out error);
        }
        while (!isOver);
        return error;
    }

    private static Authentication.Need Closed(ITransport transport, out string? error)
    {
        IsClosed(transport, out error);
        return Authentication.Need.OtherPeer;
    }

    private static bool IsClosed(ITransport transport, out string? error)
    {
        error = transport.IsEncrypted ? PeerDiagnosis.ClosedEncrypted : PeerDiagnosis.Closed;
        return true;
    }
}
