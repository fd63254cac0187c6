using System.Runtime.CompilerServices;

namespace MemcachedDistributedCache.Embedded.Protocol;

/// <summary>
/// One command line cut into tokens: <c>token *( 1*SP token )</c>, where only a space separates and a NUL byte ends the line.
/// At most <see cref="Limit"/> tokens are cut; only the retrieval commands take more, and they cut their own.
/// </summary>
internal readonly ref struct CommandLine
{
    public const int Limit = 23;

    private readonly ReadOnlySpan<byte> _line;
    private readonly Cuts _cuts;

    public CommandLine(ReadOnlySpan<byte> line)
    {
        _line = UntilNul(line);
        int at = 0;
        while (Count < Limit && NextToken(_line, ref at, out Range token))
        {
            _cuts[Count++] = token;
        }
    }

    /// <summary>How many tokens were cut.</summary>
    public int Count { get; }

    public ReadOnlySpan<byte> this[int index] => index < Count ? _line[_cuts[index]] : default;

    /// <summary>The last token is <c>noreply</c>; the classic commands look nowhere else for it.</summary>
    public bool EndsWithNoReply => Count > 0 && this[Count - 1].SequenceEqual("noreply"u8);

    /// <summary>The part of a line that memcached sees: C strings end at a NUL.</summary>
    public static ReadOnlySpan<byte> UntilNul(ReadOnlySpan<byte> line)
    {
        int end = line.IndexOf((byte)0);
        return end < 0 ? line : line[..end];
    }

    public static bool NextToken(ReadOnlySpan<byte> line, ref int at, out Range token)
    {
        while (at < line.Length && line[at] == ' ')
        {
            at++;
        }

        int start = at;
        int length = line[start..].IndexOf((byte)' ');
        at = length < 0 ? line.Length : start + length;
        token = start..at;
        return at > start;
    }

    [InlineArray(Limit)]
    private struct Cuts
    {
        private Range _first;
    }
}
