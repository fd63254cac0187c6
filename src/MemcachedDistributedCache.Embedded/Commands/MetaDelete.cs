using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// <c>md key *( SP flag )</c>: <c>HD</c> deleted, or marked stale with I; <c>NF</c> not there; <c>EX</c> CAS mismatch.
/// Quiet hides only <c>HD</c>.
/// </summary>
internal static class MetaDelete
{
    public static void Execute(CommandContext context, in CommandLine line)
    {
        if (line[1].Length > CommandContext.MaximumKeyBytes)
        {
            context.SayBadFormat();
            return;
        }

        if (line.Count >= MetaFlags.MaximumTokens + 1)
        {
            context.Say("CLIENT_ERROR options flags too long"u8);
            return;
        }

        var flags = new MetaFlags(stackalloc byte[CommandContext.MaximumKeyBytes]);
        if (!flags.TryRead(context, line, 2, out _))
        {
            context.Insist("CLIENT_ERROR invalid or duplicate flag"u8);
            return;
        }

        // The status leads the line but is known last, and a line that cannot be written must delete nothing.
        ReplyBuffer reply = context.Reply;
        int start = reply.Length;
        reply.Append("NF"u8);
        if (!MetaReply.TryMirror(reply, line, flags))
        {
            reply.Truncate(start);
            context.Insist(MetaReply.OpaqueTooLong);
            return;
        }

        reply.Append("\r\n"u8);
        ReadOnlySpan<byte> status = Apply(context, flags);
        if (flags.Quiet && status.SequenceEqual("HD"u8))
        {
            reply.Truncate(start);
        }
        else
        {
            reply.Overwrite(start, status);
        }
    }

    private static ReadOnlySpan<byte> Apply(CommandContext context, in MetaFlags flags)
    {
        ItemStore store = context.Store;
        if (store.Find(flags.Key, context.Now) is not { } item)
        {
            store.Statistics.DeleteMisses++;
            return "NF"u8;
        }

        if (flags.HasCas && flags.Cas != item.Cas)
        {
            store.Statistics.DeleteMisses++;
            return "EX"u8;
        }

        if (flags.Invalidate)
        {
            item.Expires = flags.HasTtl ? flags.Expires : item.Expires;
            item.Marks = (item.Marks | ItemMarks.Stale) & ~ItemMarks.TokenSent;
            item.Cas = store.NextCas();
        }
        else
        {
            store.Statistics.DeleteHits++;
            store.Unlink(item);
        }

        return "HD"u8;
    }
}
