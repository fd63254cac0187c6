using System.Buffers.Text;
using System.Text;

namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// The exchange at the start of a connection, which tells whether a server is asked by meta commands or by classic ones. Request:
/// <c>version\r\nstats settings\r\nmn\r\n</c>; reply: <c>VERSION &lt;text&gt;\r\n</c>, then <c>STAT &lt;name&gt; &lt;value&gt;\r\n</c>* and
/// <c>END\r\n</c>, then <c>MN\r\n</c>. A server, or a proxy before it, that refuses <c>stats</c> with an error line does not tell its item
/// size, and judges by itself. A peer that does not answer <c>mn</c> so knows no meta commands, whatever version it tells, and would take
/// the value of a store for its next command; one that is older than 1.6.10 answers, and would do the same.
/// <para>
/// With <see cref="MemcachedProtocol.Classic"/> the request is <c>version\r\n</c> alone: twemproxy passes that on to
/// a server, and closes the connection at the other two. So the item size is not known then. Whoever is to find out the
/// dialect asks such a peer again, on a new connection; see <see cref="TryBeginAnew"/>.
/// </para>
/// </summary>
/// <param name="protocol">The dialect that is to be spoken, or is to be found out.</param>
/// <param name="asksForVersionAlone">The peer is known to close the connection at the other questions.</param>
internal sealed class Handshake(MemcachedProtocol protocol = MemcachedProtocol.Auto, bool asksForVersionAlone = false)
{
    private const int MaximumLength = 16 * 1024;
    private const int LeastMetaPatch = 10;
    private int _consumed;
    private bool _hasVersion;
    private int _versionsRead;
    private bool _hasSettings;
    private bool _mayClose;
    private bool _wasClosed;
    private string? _versionRefusal;

    /// <summary>The bytes to send.</summary>
    public ReadOnlySpan<byte> Request
        => !AsksForVersionAlone ? "version\r\nstats settings\r\nmn\r\n"u8
            : Versions == 1 ? "version\r\n"u8
            : "version\r\nversion\r\nversion\r\n"u8;

    /// <summary>
    /// How often the version is asked for. A peer that closes the connection may speak the binary protocol alone: such a
    /// server waits for 24 bytes before it closes, and would leave a shorter question without any answer.
    /// </summary>
    private int Versions => AsksForVersionAlone && protocol == MemcachedProtocol.Auto ? 3 : 1;

    /// <summary>The request is no more than the question for the version.</summary>
    public bool AsksForVersionAlone { get; private set; } = asksForVersionAlone || protocol == MemcachedProtocol.Classic;

    /// <summary>The server is asked by classic commands. Of use once the exchange is over.</summary>
    public bool IsClassic { get; private set; } = asksForVersionAlone || protocol == MemcachedProtocol.Classic;

    /// <summary>
    /// The server's version as it says it, once read; null where a proxy does not tell, as its answer is an error line.
    /// twemproxy passes the question on, and answers so while that server is away.
    /// </summary>
    public string? ServerVersion { get; private set; }

    /// <summary>
    /// The server is known to leave an item its number (CAS) until it is stored anew: memcached since 1.6.24. Up to
    /// then one got another when the page that it lay on was moved, or when it came back from external storage. What
    /// numbers its versions otherwise is no memcached, and cannot be told.
    /// </summary>
    public bool KeepsCas => ServerVersion is { } version && version.StartsWith("1.", StringComparison.Ordinal) && IsAtLeast(version, 24);

    /// <summary>The largest item, header included, that the server takes (<c>item_size_max</c>); 0 where it does not tell.</summary>
    public int ItemSizeMax { get; private set; }

    /// <summary>Why the peer cannot be used, or null.</summary>
    public string? Error { get; private set; }

    /// <summary>How many bytes more are read than this the peer may not send.</summary>
    public static int BufferLength => MaximumLength;

    /// <summary>The peer cannot be used for a reason that came before the exchange; gives that reason.</summary>
    public string Refuse(string reason) => Error = reason;

    /// <summary>
    /// Begins anew for a new connection; false where that helps nothing. It helps where the peer closes the connection
    /// at a question that it does not know (twemproxy), or is about to, as it has answered <c>CLIENT_ERROR</c> to
    /// <c>mn</c> (mcrouter); memcached says <c>ERROR</c>, and stays. Such a peer is asked for its version alone. One that
    /// has closed is first asked for everything once more: a server that speaks meta may have been on its way down.
    /// </summary>
    /// <param name="isClosed">The peer has closed the connection before the exchange was over.</param>
    public bool TryBeginAnew(bool isClosed)
    {
        if (protocol != MemcachedProtocol.Auto || AsksForVersionAlone || Error is not null || !(isClosed || _mayClose))
        {
            return false;
        }

        AsksForVersionAlone = !isClosed || _wasClosed;
        IsClassic = AsksForVersionAlone;
        (ServerVersion, ItemSizeMax) = (null, 0);
        (_consumed, _versionsRead, _hasVersion, _hasSettings, _mayClose, _wasClosed) = (0, 0, false, false, false, true);
        return true;
    }

    /// <summary>The reason why the peer cannot be used, in the words that help most: one that has refused to tell its version, and left, has said more.</summary>
    public string? Diagnosis(string? error) => error == PeerDiagnosis.Closed ? _versionRefusal ?? error : error;

    /// <summary>Reads on in all that has come so far; true when the exchange is over, well or with an <see cref="Error"/>.</summary>
    public bool Advance(ReadOnlySpan<byte> received)
    {
        if (!_hasVersion && PeerDiagnosis.IsTls(received))
        {
            Error = PeerDiagnosis.Tls;
        }

        while (Error is null)
        {
            switch (ReplyFrame.TryFindLine(received[_consumed..], out int length))
            {
                case ReplyFrame.Result.Incomplete:
                    Error = received.Length >= MaximumLength ? "its handshake does not end" : null;
                    return Error is not null;
                case ReplyFrame.Result.Invalid:
                    Error = "it does not speak the memcached protocol";
                    return true;
                default:
                    ReadOnlySpan<byte> line = received.Slice(_consumed, length);
                    _consumed += length + 2;
                    if (ReadLine(line))
                    {
                        Error = Error is null && _consumed != received.Length ? "it sent more than was asked for" : Error;
                        return true;
                    }

                    break;
            }
        }

        return true;
    }

    private bool ReadLine(ReadOnlySpan<byte> line)
    {
        if (!_hasVersion)
        {
            return ReadVersion(line);
        }

        if (AsksForVersionAlone)
        {
            Error = line.StartsWith("VERSION "u8) || MetaReplyParser.IsError(line) ? null : PeerDiagnosis.OfLine(line);
            return ++_versionsRead == Versions || Error is not null;
        }

        if (_hasSettings)
        {
            ReadAnswerToMeta(line);
            return true;
        }

        ReadOnlySpan<byte> sizeName = "STAT item_size_max "u8;
        if (line.StartsWith(sizeName))
        {
            ReadOnlySpan<byte> text = line[sizeName.Length..];
            if (Utf8Parser.TryParse(text, out int size, out int used) && used == text.Length && size > 0)
            {
                ItemSizeMax = size;
            }

            return false;
        }

        if (line.StartsWith("STAT "u8))
        {
            return false;
        }

        // ERROR and its kin stand for a server, or a proxy before it, that keeps its statistics to itself.
        bool isEnd =
            line.SequenceEqual("END"u8)
            || line.StartsWith("ERROR"u8)
            || line.StartsWith("CLIENT_ERROR"u8)
            || line.StartsWith("SERVER_ERROR"u8);
        _hasSettings = isEnd;
        Error = isEnd ? null : $"it answered '{Printable(line)}' when asked for its settings";
        return !isEnd;
    }

    /// <summary>
    /// A server that may be asked by meta commands has answered <c>mn</c>. Older ones answer as they like: 1.6.9 says
    /// <c>MN</c>, 1.5.22 <c>EN</c>, 1.4.15 <c>ERROR</c>.
    /// </summary>
    private void ReadAnswerToMeta(ReadOnlySpan<byte> line)
    {
        bool isAnswer = line.SequenceEqual("MN"u8);
        bool isRefusal = MetaReplyParser.IsError(line) || (IsClassic && line.SequenceEqual("EN"u8));
        IsClassic |= isRefusal;
        _mayClose = line.StartsWith("CLIENT_ERROR"u8);
        Error = isAnswer || (isRefusal && protocol == MemcachedProtocol.Auto) ? null
            : $"it answered '{Printable(line)}' to a meta command (mn), so it speaks no meta protocol, although it tells version "
                + $"{ServerVersion ?? "none"}. "
                + "A proxy in between must speak it too, or Protocol must be Auto or Classic";
    }

    private bool ReadVersion(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> name = "VERSION "u8;
        _hasVersion = true;
        if (protocol != MemcachedProtocol.Meta && (line.SequenceEqual("ERROR"u8) || line.StartsWith("SERVER_ERROR"u8)))
        {
            // A proxy, as every memcached tells its version. A command that it does not know it refuses in words.
            IsClassic = true;
            _versionRefusal = PeerDiagnosis.OfLine(line);
            return AsksForVersionAlone && ++_versionsRead == Versions;
        }

        if (!line.StartsWith(name))
        {
            Error = PeerDiagnosis.OfLine(line);
            return true;
        }

        string version = Printable(line[name.Length..]);
        if (IsTooOld(version))
        {
            Error = $"it is memcached {version}, and 1.4.15 or newer is needed";
            return true;
        }

        // Up to 1.6.9 a store was written otherwise, and a server that does not understand ours takes its value for the next
        // command: whoever chooses the value would choose the command. So this is asked before anything is stored.
        if (!IsAtLeast(version, LeastMetaPatch))
        {
            IsClassic = true;
            if (protocol == MemcachedProtocol.Meta)
            {
                Error =
                    $"it is memcached {version}, and 1.6.10 or newer is needed by meta commands. "
                    + "Set Protocol to Auto, and it is asked by classic ones";
                return true;
            }
        }

        ServerVersion = version;
        return AsksForVersionAlone && ++_versionsRead == Versions;
    }

    /// <summary>
    /// A memcached before 1.4.15, the oldest that was tried. Proxies may tell a version of their own, such as <c>37.0.0
    /// mcrouter</c>, or <c>1.0.0 mcrouter</c>, which is no old memcached.
    /// </summary>
    private static bool IsTooOld(string version)
    {
        if (version.EndsWith(" mcrouter", StringComparison.Ordinal))
        {
            return false;
        }

        string[] parts = version.Split('.', '-', '_', ' ');
        return parts.Length >= 2
            && parts[0] == "1"
            && int.TryParse(parts[1], out int minor)
            && (minor < 4 || (minor == 4 && !(parts.Length > 2 && int.TryParse(parts[2], out int patch) && patch >= 15)));
    }

    /// <summary>A version is 1.6.<paramref name="leastPatch"/> or newer.</summary>
    private static bool IsAtLeast(string version, int leastPatch)
    {
        string[] parts = version.Split('.', '-', '_', ' ');
        return parts.Length >= 2
            && int.TryParse(parts[0], out int major)
            && int.TryParse(parts[1], out int minor)
            && (
                major > 1
                || (
                    major == 1
                    && (minor > 6 || (minor == 6 && parts.Length > 2 && int.TryParse(parts[2], out int patch) && patch >= leastPatch))));
    }

    /// <summary>A line as text that can be logged.</summary>
    internal static string Printable(ReadOnlySpan<byte> line)
    {
        string text = Encoding.Latin1.GetString(line[..Math.Min(line.Length, 120)]);
        return string.Create(text.Length, text, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                span[i] = source[i] is >= ' ' and < (char)0x7f ? source[i] : '?';
            }
        });
    }
}
