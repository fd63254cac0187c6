using System.Globalization;
using System.Text.RegularExpressions;
using System.Text;

namespace MemcachedDistributedCache.Embedded.Tests.Wire;

/// <summary>
/// The notation of the case files. A case is <c># name</c> and lines of <c>request => reply</c>; <c>|</c> is CR LF, one more
/// ends each side; <c>~</c> is no reply. <c>{nul} {tab} {cr} {lf} {x80}</c> are bytes, <c>{k250}</c> and <c>{x:9}</c>
/// repeat a letter, <c>{m:60}</c> is many keys, <c>{c+1}</c> the first CAS given out in the case. In replies a CAS is
/// shown as <c>+1</c>, the version as <c>{version}</c>.
/// </summary>
internal static partial class Script
{
    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.Multiline;

    public static string Expand(string request, long casBase)
    {
        string text = request.Replace("|", "\r\n").Replace("{lf}", "\n").Replace("{cr}", "\r").Replace("{nul}", "\0").Replace("{tab}", "\t");
        text = HexByte().Replace(text, m => ((char)int.Parse(m.Groups[1].Value, NumberStyles.HexNumber)).ToString());
        text = LongKey().Replace(text, m => new string('k', int.Parse(m.Groups[1].Value)));
        text = Repeated().Replace(text, m => Repeat(m.Groups[1].Value[0], int.Parse(m.Groups[2].Value)));
        return CasOffset().Replace(text, m => (casBase + long.Parse(m.Groups[1].Value)).ToString()) + "\r\n";
    }

    /// <summary>Shows a reply in the notation, with what must differ between two servers made equal.</summary>
    public static string Show(string reply, long casBase)
    {
        string text = MetaCas().Replace(reply, m => Relative(m.Value, casBase));
        text = ValueCas().Replace(text, m => m.Groups[1].Value + Relative(m.Groups[2].Value, casBase));
        text = Time().Replace(text, m => m.Groups[1].Value + RoundTime(ulong.Parse(m.Groups[2].Value)));
        text = Idle().Replace(text, "${1}0");
        text = Version().Replace(text, "{version}");
        if (text.Length == 0)
        {
            return "~";
        }

        text = text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text + "{open}";
        var shown = new StringBuilder();
        text = Keys250().Replace(text.Replace("\r\n", "|"), "{k250}");
        foreach (char c in LongRun().Replace(text, m => $"{{{m.Groups[1].Value}:{m.Length}}}"))
        {
            shown.Append(c switch
            {
                '\n' => "{lf}",
                '\r' => "{cr}",
                '\t' => "{tab}",
                '\0' => "{nul}",
                < ' ' or > '~' => $"{{x{(int)c:x2}}}",
                _ => c.ToString(),
            });
        }

        return shown.ToString();
    }

    /// <summary>The cases of one file: name, then pairs of request and reply.</summary>
    public static Dictionary<string, List<(string Request, string Reply)>> Read(string resource)
    {
        using Stream stream = typeof(Script).Assembly.GetManifestResourceStream(resource)!;
        using var reader = new StreamReader(stream);
        var cases = new Dictionary<string, List<(string, string)>>(StringComparer.Ordinal);
        List<(string, string)> current = [];
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                cases.Add(line[2..], current = []);
            }
            else if (line.Split(" => ") is [var request, var reply])
            {
                current.Add((request, reply));
            }
            else if (line.Length > 0)
            {
                throw new FormatException($"{resource}: not 'request => reply': {line}");
            }
        }

        return cases;
    }

    private static string Repeat(char letter, int count)
        => letter == 'm' ? string.Join(' ', Enumerable.Range(0, count / 6).Select(i => $"k{i:d4}")) : new string(letter, count);

    private static string Relative(string cas, long casBase) => cas == "0" ? cas : $"+{long.Parse(cas) - casBase}";

    /// <summary>
    /// Cases use times in tens of seconds, so one that has just lost a second or two is still recognised; wrapped ones
    /// are past.
    /// </summary>
    private static string RoundTime(ulong seconds)
    {
        ulong up = (seconds + 9) / 10 * 10;
        return seconds > int.MaxValue ? "past" : (up - seconds <= 3 ? up : seconds).ToString();
    }

    [GeneratedRegex(@"\{x(?<g1>[0-9a-f]{2})\}", Options)]
    private static partial Regex HexByte();

    [GeneratedRegex(@"\{k(?<g1>\d+)\}", Options)]
    private static partial Regex LongKey();

    [GeneratedRegex(@"\{(?<g1>\w):(?<g2>\d+)\}", Options)]
    private static partial Regex Repeated();

    [GeneratedRegex(@"\{c\+(?<g1>\d+)\}", Options)]
    private static partial Regex CasOffset();

    [GeneratedRegex(@"(?<= c)\d+|(?<=cas=)\d+", Options)]
    private static partial Regex MetaCas();

    [GeneratedRegex(@"^(?<g1>VALUE \S+ \d+ \d+ )(?<g2>\d+)(?=\r)", Options)]
    private static partial Regex ValueCas();

    [GeneratedRegex(@"(?<g1> t|exp=-)(?<g2>\d{2,})", Options)]
    private static partial Regex Time();

    [GeneratedRegex(@"(?<g1> l|la=)[0-3]\b", Options)]
    private static partial Regex Idle();

    [GeneratedRegex(@"1\.6\.18(?<g1>-embedded)?", Options)]
    private static partial Regex Version();

    [GeneratedRegex(@"k{250}", Options)]
    private static partial Regex Keys250();

    [GeneratedRegex(@"(?<![0-9A-Za-z])(?<g1>[xA])\k<g1>{20,}", Options)]
    private static partial Regex LongRun();
}
