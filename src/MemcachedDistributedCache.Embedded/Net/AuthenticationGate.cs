using MemcachedDistributedCache.Embedded.Commands;
using MemcachedDistributedCache.Embedded.Protocol;

namespace MemcachedDistributedCache.Embedded.Net;

/// <summary>
/// The beginning of a connection to a server that asks for a user (memcached <c>-Y</c>). Request:
/// <c>set &lt;any key&gt; &lt;any&gt; &lt;any&gt; &lt;length&gt; ... \n &lt;user&gt; &lt;password&gt;\r\n</c>; reply: <c>STORED</c> or a
/// <c>CLIENT_ERROR</c>, which every other line gets as well. memcached keeps one reply of this state: of several requests that are
/// read together only the last one is answered.
/// </summary>
internal sealed class AuthenticationGate(CommandContext context, UserTable users)
{
    /// <summary>The room that memcached has for a request of this state.</summary>
    private const int LongestRequest = 16 * 1024;

    private const int ShortestRequest = 2;
    private const int Tokens = 5;

    private int? _data;

    /// <summary>The client may send commands.</summary>
    public bool IsOpen { get; private set; } = !users.AreAsked;

    /// <summary>Reads a line, or the data behind it; null where more may follow in the same input.</summary>
    public SessionStep? Advance(ReadOnlySpan<byte> input, ref int consumed)
        => _data is { } length ? ReadData(input, length, ref consumed) : ReadLine(input, ref consumed);

    private SessionStep? ReadLine(ReadOnlySpan<byte> input, ref int consumed)
    {
        int end = input.IndexOf((byte)'\n');
        if (input.Length < ShortestRequest || end < 0)
        {
            return input.Length > Session.LongestLine ? SessionStep.Abort : SessionStep.NeedInput;
        }

        consumed += end + 1;
        var line = new CommandLine(input[..end]);
        if (line.Count >= Tokens && line[0].SequenceEqual("set"u8) && CNumber.TryUInt32(line[Tokens - 1], out uint size))
        {
            _data = Math.Max(0, unchecked((int)(size + 2)));
            return null;
        }

        Say("CLIENT_ERROR unauthenticated"u8);
        return null;
    }

    private SessionStep? ReadData(ReadOnlySpan<byte> input, int length, ref int consumed)
    {
        if (input.Length < length)
        {
            return input.Length >= LongestRequest ? SessionStep.Abort : SessionStep.NeedInput;
        }

        _data = null;
        consumed += length;
        ReadOnlySpan<byte> data = input[..length];
        if (!data.EndsWith("\r\n"u8))
        {
            Say("CLIENT_ERROR bad command line termination"u8);
            return null;
        }

        var pair = new CommandLine(data[..^2]);
        if (pair.Count < 2)
        {
            Say("CLIENT_ERROR bad authentication token format"u8);
            return null;
        }

        IsOpen = users.TryAuthenticate(pair[0], pair[1]);
        Say(IsOpen ? "STORED"u8 : "CLIENT_ERROR authentication failure"u8);
        return null;
    }

    private void Say(ReadOnlySpan<byte> line)
    {
        context.Reply.Truncate(0);
        context.Reply.Line(line);
    }
}
