using MemcachedDistributedCache.Embedded.Net;
using MemcachedDistributedCache.Embedded.Protocol;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>flush_all, version, verbosity, cache_memlimit, and the switches of machinery that does not exist here.</summary>
internal static class AdminCommands
{
    /// <summary><c>flush_all [delay] [noreply]</c></summary>
    public static void FlushAll(CommandContext context, in CommandLine line)
    {
        context.NoReply = line.EndsWithNoReply;
        int delay = 0;
        if (line.Count != (context.NoReply ? 2 : 1) && !CNumber.TryInt32(line[1], out delay))
        {
            context.Store.Statistics.CmdFlush++;
            context.Say("CLIENT_ERROR invalid exptime argument"u8);
            return;
        }

        context.Store.Flush(delay, context.Now);
        context.Say("OK"u8);
    }

    public static void Version(CommandContext context, in CommandLine line)
    {
        context.Reply.Append("VERSION "u8);
        context.Reply.Append(context.Server.Version);
        context.Reply.Append("\r\n"u8);
    }

    /// <summary><c>verbosity level [noreply]</c>: accepted; there is nothing to be more verbose about.</summary>
    public static void Verbosity(CommandContext context, in CommandLine line)
    {
        context.NoReply = line.EndsWithNoReply;
        if (CNumber.TryUInt32(line[1], out uint level))
        {
            context.Server.Verbosity = (int)Math.Min(level, 2);
            context.Say("OK"u8);
        }
        else
        {
            context.SayBadFormat();
        }
    }

    /// <summary><c>cache_memlimit megabytes [noreply]</c></summary>
    public static void MemoryLimit(CommandContext context, in CommandLine line)
    {
        const uint Fewest = 8;
        const uint Most = 1_000_000_000;
        context.NoReply = line.EndsWithNoReply;
        if (!CNumber.TryUInt32(line[1], out uint megabytes))
        {
            context.Say("ERROR"u8);
        }
        else if (megabytes < Fewest)
        {
            context.Say("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m"u8);
        }
        else if (megabytes > Most)
        {
            context.Say("MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes"u8);
        }
        else
        {
            context.Store.MemoryLimit = (long)megabytes * 1024 * 1024;
            context.Say("OK"u8);
        }
    }

    /// <summary>There is no crawler: answered as a memcached that was started without one.</summary>
    public static void LruCrawler(CommandContext context, in CommandLine line)
    {
        bool works = line.Count == 3 && (line[1].SequenceEqual("crawl"u8) || line[1].SequenceEqual("metadump"u8));
        context.Say(works ? "CLIENT_ERROR lru crawler disabled"u8 : "ERROR"u8);
    }

    /// <summary>There are no slabs to move: answered as a memcached that was started without reassignment.</summary>
    public static void Slabs(CommandContext context, in CommandLine line)
        => context.Say(line.Count == 4 && line[1].SequenceEqual("reassign"u8)
            ? "CLIENT_ERROR slab reassignment disabled"u8
            : "ERROR"u8);
}
