using System.Globalization;

namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// A command for who looks after a server: <c>stats[ &lt;group&gt;]</c>, <c>stats reset</c>, <c>version</c>, <c>flush_all[
/// &lt;seconds&gt;]</c>. There are no others: no text of a user's can come to stand in the line.
/// </summary>
internal readonly struct AdminCommand
{
    private const string Flush = "flush_all";

    private static readonly string[] Known =
    [
        "stats", "stats items", "stats slabs", "stats sizes", "stats settings", "stats conns", "stats reset", "version", Flush,
    ];

    private readonly string? _text;

    private AdminCommand(string text) => _text = text;

    /// <summary>The line to send.</summary>
    public byte[] ToRequest() => System.Text.Encoding.ASCII.GetBytes((_text ?? "version") + "\r\n");

    /// <summary>The command that a text names.</summary>
    /// <exception cref="ArgumentException">It is none of those.</exception>
    public static AdminCommand Of(string text)
    {
        bool isDelayed = text.StartsWith(Flush + " ", StringComparison.Ordinal)
            && uint.TryParse(text.AsSpan(Flush.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out _);
        return isDelayed || Known.Contains(text, StringComparer.Ordinal)
            ? new AdminCommand(text)
            : throw new ArgumentException("This is no command that a server is asked by here.", nameof(text));
    }

    /// <summary>The reply's last line, where all went well.</summary>
    public bool IsEnd(ReadOnlySpan<byte> line) => _text switch
    {
        "stats reset" => line.SequenceEqual("RESET"u8),
        null or "version" => line.StartsWith("VERSION "u8),
        _ when _text.StartsWith(Flush, StringComparison.Ordinal) => line.SequenceEqual("OK"u8),
        _ => line.SequenceEqual("END"u8),
    };
}
