using System.Text;

namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// How a connection authenticates with a server that was started with <c>-Y</c>. Until then such a server answers each line with
/// <c>CLIENT_ERROR unauthenticated</c>. Request: <c>set &lt;any key&gt; 0 0 &lt;length&gt;\r\n&lt;user&gt; &lt;password&gt;\r\n</c>; reply:
/// <c>STORED\r\n</c>, or <c>CLIENT_ERROR authentication failure\r\n</c>. A server that does not ask would store the password as a
/// value, so the version is asked for first, and the password is sent to a server only that asks.
/// </summary>
internal static class Authentication
{
    /// <summary>The longest reply.</summary>
    public const int MaximumReply = 2048;

    /// <summary>The question by whose answer a server shows whether it asks for a password.</summary>
    public static ReadOnlySpan<byte> Question => "version\r\n"u8;

    /// <summary>The answer to the question.</summary>
    public enum Need
    {
        /// <summary>More bytes are needed.</summary>
        Unknown,

        /// <summary>The server answers anybody.</summary>
        None,

        /// <summary>The server asks for a user and a password.</summary>
        Password,

        /// <summary>The peer is something else.</summary>
        OtherPeer,
    }

    /// <summary>The request by which a user authenticates.</summary>
    public static byte[] Request(string userName, string password)
    {
        byte[] data = Encoding.UTF8.GetBytes($"{userName} {password}");
        return [.. Encoding.ASCII.GetBytes($"set authentication 0 0 {data.Length}\r\n"), .. data, .. "\r\n"u8];
    }

    /// <summary>Reads the answer to the question.</summary>
    public static Need ReadNeed(ReadOnlySpan<byte> received, out string? error)
    {
        error = PeerDiagnosis.IsTls(received) ? PeerDiagnosis.Tls : null;
        if (error is not null || !TryLine(received, out ReadOnlySpan<byte> line, out error))
        {
            return error is null ? Need.Unknown : Need.OtherPeer;
        }

        if (line.SequenceEqual("CLIENT_ERROR unauthenticated"u8))
        {
            return Need.Password;
        }

        error = line.StartsWith("VERSION "u8) ? null : PeerDiagnosis.OfLine(line);
        return error is null ? Need.None : Need.OtherPeer;
    }

    /// <summary>Reads the answer to <see cref="Request"/>: true once it is there, with an error where the server has refused.</summary>
    public static bool TryReadOutcome(ReadOnlySpan<byte> received, out string? error)
    {
        if (!TryLine(received, out ReadOnlySpan<byte> line, out error))
        {
            return error is not null;
        }

        error = line.SequenceEqual("STORED"u8) ? null
            : line.SequenceEqual("CLIENT_ERROR authentication failure"u8)
                ? "it refused UserName and its password: correct UserName, Password or PasswordFile, or the file of memcached -Y"
            : "it answered something else than STORED when a user and a password were sent"; // which it may have repeated
        return true;
    }

    private static bool TryLine(ReadOnlySpan<byte> received, out ReadOnlySpan<byte> line, out string? error)
    {
        ReplyFrame.Result result = ReplyFrame.TryFindLine(received, out int length);
        bool isLine = result is not (ReplyFrame.Result.Incomplete or ReplyFrame.Result.Invalid);
        line = isLine ? received[..length] : default;
        error = result == ReplyFrame.Result.Invalid || (!isLine && received.Length >= MaximumReply) ? "it does not speak the memcached protocol"
            : isLine && received.Length != length + 2 ? "it sent more than was asked for"
            : null;
        return isLine && error is null;
    }
}
