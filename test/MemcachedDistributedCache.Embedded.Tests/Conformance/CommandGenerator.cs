using System.Globalization;

namespace MemcachedDistributedCache.Embedded.Tests.Conformance;

/// <summary>
/// Random commands on few keys, most of them valid. Times are far enough apart, and far enough from now, that two servers whose
/// seconds tick at different moments still agree. No number reaches 2^63: memcached looks for a minus sign behind such a one
/// and runs past the end of the value, so that its answer depends on what that memory held before.
/// </summary>
internal sealed class CommandGenerator(Random random)
{
    private static readonly string[] Keys = ["a", "b", "n", "Zm9v", "foo"];
    private static readonly string[] Values = ["", "x", "hello", "7", "99", "18446744073709551616", "12 x", "-3"];
    private static readonly string[] Times = ["0", "0", "100", "1000", "-1", "2592001", "x", "", "4294967296"];
    private static readonly string[] Numbers = ["0", "1", "9", "100", "1000000000000", "18446744073709551616", "-1", "x", ""];
    private static readonly string[] Junk = ["", " ", "foo", "get", "mg", "ms a", "set a 0 0", "mgx a", "\0", "a\tb", "incr", "stats foo", "set a 0 0 -1", "ms a 4 Z\r\nquit"];

    public string Next(long lastCas) => random.Next(20) switch
    {
        < 3 => $"mg {Key()}{Flags("bvstfckhluqOPLNRT", 6, lastCas)}\r\n",
        < 7 => Meta(lastCas),
        < 9 => $"md {Key()}{Flags("bkqICTO", 3, lastCas)}\r\n",
        < 12 => $"ma {Key()}{Flags("bkqcvtNJDTMCO", 5, lastCas)}\r\n",
        < 15 => Classic(lastCas),
        15 => $"{Pick("get", "gets", "get", "gat 100", "gats 0", "gat -1")} {Key()} {Key()}\r\n",
        16 => $"{Pick("incr", "decr")} {Key()} {Pick(Numbers)}{NoReply()}\r\n",
        17 => $"{Pick("delete", "touch")} {Key()} {Pick("0", "100", "noreply", "", "-1")}\r\n",
        18 => $"mg {Key()}{Flags("bvstfckhluqOPLNRTICDJMFxyzESW", 8, lastCas)}\r\n",
        _ => random.Next(6) == 0 ? "flush_all\r\n" : Pick(Junk) + "\r\n",
    };

    private string Meta(long lastCas)
    {
        string value = Pick(Values);
        int length = random.Next(25) == 0 ? value.Length + 1 : value.Length;

        // A block that is too short takes its missing bytes from what follows, so something of its own must follow.
        string tail = length == value.Length ? "" : "zz\r\n";
        return $"ms {Key()} {length}{Flags("bkcqOTFCMI", 5, lastCas)}\r\n{value}\r\n{tail}";
    }

    private string Classic(long lastCas)
    {
        string value = Pick(Values);
        string name = Pick("set", "add", "replace", "append", "prepend", "cas");
        string cas = name == "cas" ? $" {Cas(lastCas)}" : "";
        string flags = random.Next(20) == 0 ? "x" : Pick("0", "5", "4294967295");
        return $"{name} {Key()} {flags} {Pick("0", "100", "1000", "-1")} {value.Length}{cas}{NoReply()}\r\n{value}\r\n";
    }

    private string Flags(string letters, int most, long lastCas)
    {
        string text = "";
        string left = letters;
        for (int i = random.Next(most + 1); i > 0 && left.Length > 0; i--)
        {
            char flag = left[random.Next(left.Length)];
            left = random.Next(40) == 0 ? left : left.Replace(flag.ToString(), "");
            text += " " + flag + flag switch
            {
                'O' => random.Next(40) == 0 ? new string('o', 33) : "op",
                'N' or 'T' => random.Next(4) == 0 ? Pick(Times) : Pick("0", "100", "1000"),
                'R' => Pick("10", "500", "5000", "0", "-1"),
                'C' => Cas(lastCas),
                'F' => Pick("0", "1", "4294967295", "x"),
                'J' or 'D' => random.Next(4) == 0 ? Pick(Numbers) : Pick("1", "7"),
                'M' => Pick("E", "A", "P", "R", "S", "I", "D", "+", "-", "x", ""),
                _ => "",
            };
        }

        return text;
    }

    private string Cas(long lastCas) => random.Next(8) switch
    {
        0 => "0",
        1 => "x",
        _ => Math.Max(1, lastCas - random.Next(6)).ToString(CultureInfo.InvariantCulture),
    };

    private string NoReply() => random.Next(8) == 0 ? " noreply" : "";

    private string Key() => Pick(Keys);

    private string Pick(params string[] of) => of[random.Next(of.Length)];
}
