using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary><c>delete key [0] [noreply]</c> and <c>touch key exptime [noreply]</c>.</summary>
internal static class KeyCommands
{
    public static void Delete(CommandContext context, in CommandLine line)
    {
        if (line.Count > 2)
        {
            // An old client may send a hold time, which only ever worked as 0.
            bool zeroHold = line[2].SequenceEqual("0"u8);
            bool silent = context.NoReply = line.EndsWithNoReply;
            if (!(line.Count == 3 ? zeroHold || silent : zeroHold && silent))
            {
                context.Say("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]"u8);
                return;
            }
        }

        if (line[1].Length > CommandContext.MaximumKeyBytes)
        {
            context.SayBadFormat();
            return;
        }

        if (context.Store.Find(line[1], context.Now) is { } item)
        {
            context.Store.Statistics.DeleteHits++;
            context.Store.Unlink(item);
            context.Say("DELETED"u8);
        }
        else
        {
            context.Store.Statistics.DeleteMisses++;
            context.Say("NOT_FOUND"u8);
        }
    }

    public static void Touch(CommandContext context, in CommandLine line)
    {
        context.NoReply = line.EndsWithNoReply;
        if (line[1].Length > CommandContext.MaximumKeyBytes)
        {
            context.SayBadFormat();
            return;
        }

        if (!CNumber.TryInt32(line[2], out int time))
        {
            context.Say("CLIENT_ERROR invalid exptime argument"u8);
            return;
        }

        StoreStatistics statistics = context.Store.Statistics;
        statistics.CmdTouch++;
        if (context.Store.Find(line[1], context.Now) is { } item)
        {
            statistics.TouchHits++;
            context.Store.Bump(item, context.Now);
            item.Expires = context.Store.Clock.Expiry(time, context.Now);
            context.Say("TOUCHED"u8);
        }
        else
        {
            statistics.TouchMisses++;
            context.Say("NOT_FOUND"u8);
        }
    }
}
