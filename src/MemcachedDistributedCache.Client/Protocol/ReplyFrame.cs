namespace MemcachedDistributedCache.Protocol;

/// <summary>Finds where a reply line ends; what it says is the parser's business.</summary>
internal static class ReplyFrame
{
    /// <summary>No line that we ask for comes near this; a longer one is not memcached speaking.</summary>
    public const int MaximumLineLength = 2048;

    /// <summary>The outcome of a search for a line.</summary>
    public enum Result
    {
        /// <summary>The line is whole.</summary>
        Found,

        /// <summary>More bytes are needed.</summary>
        Incomplete,

        /// <summary>The bytes are no reply line: too long, or ended by a bare line feed.</summary>
        Invalid,
    }

    /// <summary>Finds the first <c>\r\n</c>. The line's length is without it.</summary>
    public static Result TryFindLine(ReadOnlySpan<byte> bytes, out int length)
    {
        length = bytes.IndexOf((byte)'\n') - 1;
        if (length < -1)
        {
            return bytes.Length > MaximumLineLength ? Result.Invalid : Result.Incomplete;
        }

        return length >= 0 && length <= MaximumLineLength && bytes[length] == '\r' ? Result.Found : Result.Invalid;
    }
}
