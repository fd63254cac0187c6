using System.Text;

namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// The answer to an <see cref="AdminCommand"/>: lines <c>STAT &lt;name&gt; &lt;value&gt;</c> and the command's last line, or one error
/// line. With neither an answer nor an error the server could not be asked.
/// </summary>
/// <param name="IsAnswer">The server answered the question.</param>
/// <param name="Error">The server's words, where it refuses.</param>
/// <param name="Lines">Names and values in the server's order; of <c>version</c> one by that name.</param>
internal sealed record AdminReply(bool IsAnswer, string? Error, IReadOnlyList<(string Name, string Value)> Lines)
{
    /// <summary>A reply of more bytes is not believed; that of a server with ten thousand connections has some two million.</summary>
    public const int MaximumLength = 8 * 1024 * 1024;

    /// <summary>A reply of more lines is not believed.</summary>
    public const int MostLines = 200_000;

    /// <summary>There is no answer.</summary>
    public static AdminReply None { get; } = new(false, null, []);

    /// <summary>There is no answer to a question that may have arrived.</summary>
    public static AdminReply Lost { get; } = new(false, null, []) { WasSent = true };

    /// <summary>Any byte of the question may have reached the server.</summary>
    public bool WasSent { get; private init; }

    /// <summary>Puts a reply together line by line.</summary>
    internal sealed class Reader(AdminCommand command)
    {
        private readonly List<(string Name, string Value)> _lines = [];

        /// <summary>Reads one line, without its end: the reply once that is whole, null while more lines come.</summary>
        public AdminReply? Read(ReadOnlySpan<byte> line)
        {
            if (MetaReplyParser.IsError(line))
            {
                return new AdminReply(false, Handshake.Printable(line), []);
            }

            if (command.IsEnd(line))
            {
                ReadOnlySpan<byte> version = "VERSION "u8;
                return new AdminReply(true, null, line.StartsWith(version) ? [("version", Text(line[version.Length..]))] : _lines);
            }

            ReadOnlySpan<byte> stat = "STAT "u8;
            if (!line.StartsWith(stat) || _lines.Count == MostLines)
            {
                return None;
            }

            ReadOnlySpan<byte> entry = line[stat.Length..];
            int space = entry.IndexOf((byte)' ');
            _lines.Add(space < 0 ? (Text(entry), "") : (Text(entry[..space]), Text(entry[(space + 1)..])));
            return null;
        }

        private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);
    }
}
