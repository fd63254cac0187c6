using MemcachedDistributedCache.Embedded.Protocol;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// The meta commands of old releases, as far as they refuse those of 1.6.18: word for word what 1.6.9 and 1.5.22 say. Neither knows the
/// data block of such a store, and reads it as the next command.
/// </summary>
internal static class OldMetaCommands
{
    /// <summary>Answers a command that the release refuses; false if the command is to be executed as in 1.6.18.</summary>
    public static bool TryRefuse(CommandContext context, in CommandLine line, byte verb, EmbeddedMemcachedRelease release)
    {
        ReadOnlySpan<byte> answer = release switch
        {
            EmbeddedMemcachedRelease.Release169 => AnswerOf169(line, verb),
            EmbeddedMemcachedRelease.Release1522 => AnswerOf1522(line, verb),
            _ => default,
        };
        if (!answer.IsEmpty)
        {
            context.Say(answer);
        }

        return !answer.IsEmpty;
    }

    /// <summary>1.6.9 had no length in the line of a store, and took the length for a flag that it did not know.</summary>
    private static ReadOnlySpan<byte> AnswerOf169(in CommandLine line, byte verb)
    {
        if (verb is not ((byte)'g' or (byte)'s' or (byte)'d' or (byte)'a'))
        {
            return default;
        }

        if (line.Count < 3)
        {
            return verb is (byte)'g' or (byte)'s' ? "CLIENT_ERROR bad command line format"u8 : default;
        }

        // Of a deletion and of arithmetic the release did not say which of the two it was.
        bool saysWhich = verb is (byte)'g' or (byte)'s';
        for (int i = 2; i < line.Count; i++)
        {
            byte flag = line[i][0];
            for (int before = 2; before < i; before++)
            {
                if (line[before][0] == flag)
                {
                    return saysWhich ? "CLIENT_ERROR duplicate flag"u8 : "CLIENT_ERROR invalid or duplicate flag"u8;
                }
            }

            if (!"CDFIJMNORSTcfhklqstuv"u8.Contains(flag))
            {
                return saysWhich ? "CLIENT_ERROR invalid flag"u8 : "CLIENT_ERROR invalid or duplicate flag"u8;
            }
        }

        // Its own form of a store is not imitated.
        return verb == (byte)'s' ? "CLIENT_ERROR invalid flag"u8 : default;
    }

    /// <summary>1.5.22 had its flags in one word, such as <c>ftv</c>, and their arguments in words behind it.</summary>
    private static ReadOnlySpan<byte> AnswerOf1522(in CommandLine line, byte verb) => verb switch
    {
        (byte)'n' => "EN"u8,
        (byte)'a' => "ERROR"u8,
        (byte)'s' when line.Count == 2 => "CLIENT_ERROR bad command line format"u8,
        (byte)'g' or (byte)'s' or (byte)'d' when line.Count > 2 && ArgumentsOf1522(line[2]) < 0
            => "CLIENT_ERROR invalid or duplicate flag"u8,
        (byte)'g' or (byte)'s' or (byte)'d' when line.Count > 2 && ArgumentsOf1522(line[2]) != line.Count - 3
            => "CLIENT_ERROR incorrect number of tokens supplied"u8,
        (byte)'g' => "EN"u8,
        (byte)'d' => "NF "u8,

        // Its own form of a store is not imitated.
        (byte)'s' => "CLIENT_ERROR invalid or duplicate flag"u8,
        _ => default,
    };

    /// <summary>How many words must follow a word of flags; -1 where a flag is unknown or doubled.</summary>
    private static int ArgumentsOf1522(ReadOnlySpan<byte> flags)
    {
        int arguments = 0;
        for (int i = 0; i < flags.Length; i++)
        {
            if (!"CFINORSTcfhklqstuv"u8.Contains(flags[i]) || flags[..i].Contains(flags[i]))
            {
                return -1;
            }

            arguments += "CFNORST"u8.Contains(flags[i]) ? 1 : 0;
        }

        return arguments;
    }
}
