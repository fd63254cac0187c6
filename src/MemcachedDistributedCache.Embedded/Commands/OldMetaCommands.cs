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
            EmbeddedMemcachedRelease.Release169 => verb != 's' ? default
                : line.Count < 3 ? "CLIENT_ERROR bad command line format"u8
                : "CLIENT_ERROR invalid flag"u8,
            EmbeddedMemcachedRelease.Release1522 => AnswerOf1522(line, verb),
            _ => default,
        };
        if (!answer.IsEmpty)
        {
            context.Say(answer);
        }

        return !answer.IsEmpty;
    }

    /// <summary>1.5.22 had its flags in one word, such as <c>ftv</c>, and their arguments in words behind it.</summary>
    private static ReadOnlySpan<byte> AnswerOf1522(in CommandLine line, byte verb) => verb switch
    {
        (byte)'n' => "EN"u8,
        (byte)'a' => "ERROR"u8,
        (byte)'g' when line.Count == 2 => "EN"u8,
        (byte)'g' when line[2].ContainsAnyInRange((byte)'0', (byte)'9') => "CLIENT_ERROR invalid or duplicate flag"u8,
        (byte)'g' when line.Count > 3 => "CLIENT_ERROR incorrect number of tokens supplied"u8,
        (byte)'g' => "EN"u8,
        (byte)'s' when line.Count == 2 => "CLIENT_ERROR bad command line format"u8,
        (byte)'d' when line.Count == 2 => "NF "u8,
        (byte)'s' or (byte)'d' => "CLIENT_ERROR invalid or duplicate flag"u8,
        _ => default,
    };
}
