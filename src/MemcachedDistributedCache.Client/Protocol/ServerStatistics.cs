using System.Buffers.Text;

namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// The statistics that a server tells of itself. Request: <c>stats\r\n</c>; reply: <c>STAT &lt;name&gt; &lt;value&gt;\r\n</c>* and
/// <c>END\r\n</c>. It carries no token, so it is asked for on a connection of its own that is closed after it.
/// </summary>
/// <param name="Items">Items held (<c>curr_items</c>).</param>
/// <param name="Bytes">Bytes that they take (<c>bytes</c>).</param>
/// <param name="MaximumBytes">Bytes that they may take (<c>limit_maxbytes</c>).</param>
/// <param name="Connections">Connections of all clients (<c>curr_connections</c>).</param>
/// <param name="Evictions">Items dropped before their time (<c>evictions</c>).</param>
/// <param name="Hits">Reads that found an item (<c>get_hits</c>).</param>
/// <param name="Misses">Reads that found none (<c>get_misses</c>).</param>
/// <param name="Uptime">Seconds since its start (<c>uptime</c>).</param>
internal sealed record ServerStatistics(
    long Items,
    long Bytes,
    long MaximumBytes,
    long Connections,
    long Evictions,
    long Hits,
    long Misses,
    long Uptime)
{
    /// <summary>The reply is a few kilobytes; one that does not end within this is not memcached's.</summary>
    public const int MaximumLength = 64 * 1024;

    private const int Required = 8;
    private const int Fields = Required + 3;
    private const int Absent = -1;
    private const int Unreadable = -2;

    /// <summary>
    /// Items that were given a new number without having been stored anew (<c>slab_reassign_rescues</c> and
    /// <c>recache_from_extstore</c>, either absent where the server is set not to do that).
    /// </summary>
    public long Renumbered { get; init; }

    /// <summary>A page of memory is being moved (<c>slab_reassign_running</c>), whose items are counted at the end.</summary>
    public bool IsMovingPage { get; init; }

    /// <summary>How far a reading came.</summary>
    public enum Progress
    {
        /// <summary>More bytes are needed.</summary>
        Incomplete,

        /// <summary>All was read.</summary>
        Complete,

        /// <summary>That is no such reply, or one that lacks a number.</summary>
        Invalid,
    }

    /// <summary>The bytes to send.</summary>
    public static ReadOnlySpan<byte> Request => "stats\r\n"u8;

    /// <summary>Reads a reply from its beginning.</summary>
    public static Progress TryRead(ReadOnlySpan<byte> received, out ServerStatistics? statistics)
    {
        statistics = null;
        Span<long> fields = stackalloc long[Fields];
        fields.Fill(Absent);
        while (true)
        {
            switch (ReplyFrame.TryFindLine(received, out int length))
            {
                case ReplyFrame.Result.Incomplete:
                    return Progress.Incomplete;
                case ReplyFrame.Result.Invalid:
                    return Progress.Invalid;
            }

            ReadOnlySpan<byte> line = received[..length];
            received = received[(length + 2)..];
            if (line.SequenceEqual("END"u8))
            {
                statistics = new ServerStatistics(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], fields[6], fields[7])
                {
                    Renumbered = Math.Max(0, fields[Required]) + Math.Max(0, fields[Required + 1]),
                    IsMovingPage = fields[Required + 2] > 0,
                };
                return received.IsEmpty && !fields[..Required].Contains(Absent) && !fields.Contains(Unreadable)
                    ? Progress.Complete
                    : Progress.Invalid;
            }

            if (!line.StartsWith("STAT "u8))
            {
                return Progress.Invalid;
            }

            Read(line["STAT ".Length..], fields);
        }
    }

    private static void Read(ReadOnlySpan<byte> entry, Span<long> fields)
    {
        int space = entry.IndexOf((byte)' ');
        if (space < 0 || IndexOf(entry[..space]) is not { } index)
        {
            return;
        }

        ReadOnlySpan<byte> text = entry[(space + 1)..];
        fields[index] =
            Utf8Parser.TryParse(text, out ulong value, out int used) && used == text.Length
                ? (long)Math.Min(value, long.MaxValue)
                : Unreadable;
    }

    private static int? IndexOf(ReadOnlySpan<byte> name)
        => name.SequenceEqual("curr_items"u8) ? 0
            : name.SequenceEqual("bytes"u8) ? 1
            : name.SequenceEqual("limit_maxbytes"u8) ? 2
            : name.SequenceEqual("curr_connections"u8) ? 3
            : name.SequenceEqual("evictions"u8) ? 4
            : name.SequenceEqual("get_hits"u8) ? 5
            : name.SequenceEqual("get_misses"u8) ? 6
            : name.SequenceEqual("uptime"u8) ? 7
            : name.SequenceEqual("slab_reassign_rescues"u8) ? Required
            : name.SequenceEqual("recache_from_extstore"u8) ? Required + 1
            : name.SequenceEqual("slab_reassign_running"u8) ? Required + 2
            : null;
}
