using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// <c>mg key *( SP flag )</c>: <c>VA bytes *( SP flag )</c> and data, or <c>HD *( SP flag )</c>, or <c>EN</c> for a miss. Flags act and
/// answer in the order given, so <c>t T60</c> shows the time left before the touch and <c>T60 t</c> the one after.
/// </summary>
internal static class MetaGet
{
    public static void Execute(CommandContext context, in CommandLine line)
    {
        if (line[1].Length > CommandContext.MaximumKeyBytes)
        {
            context.InsistBadFormat();
            return;
        }

        if (line.Count >= MetaFlags.MaximumTokens + 1)
        {
            context.Insist("CLIENT_ERROR options flags are too long"u8);
            return;
        }

        var flags = new MetaFlags(stackalloc byte[CommandContext.MaximumKeyBytes]);
        if (!flags.TryRead(context, line, 2, out ReadOnlySpan<byte> error))
        {
            context.Insist(error);
            return;
        }

        context.NoReply = flags.Quiet;
        ItemStore store = context.Store;
        Item? item = store.Find(flags.Key, context.Now);
        if (item is not null && !flags.LateBump && !flags.NoBump)
        {
            store.Bump(item, context.Now);
        }

        bool created = false;
        if (item is null && flags.Vivify && StorageCommands.Refusal(store, flags.Key.Length, 0, 0) is null)
        {
            item = new Item(flags.Key.ToArray(), [], 0, 0);
            store.Link(item, context.Now);
            created = true;
        }

        if (item is null)
        {
            Miss(context, line, flags);
            return;
        }

        int start = context.Reply.Length;
        if (!TryHit(context, line, flags, item, created))
        {
            context.Reply.Truncate(start);
            context.Insist(MetaReply.OpaqueTooLong);
            return;
        }

        if (flags.LateBump && !flags.NoBump)
        {
            store.Bump(item, context.Now);
        }

        if (flags.HasTtl)
        {
            store.Statistics.CmdTouch++;
            store.Statistics.TouchHits++;
        }
        else
        {
            store.Statistics.CmdGet++;
            store.Statistics.GetHits++;
        }
    }

    private static void Miss(CommandContext context, in CommandLine line, in MetaFlags flags)
    {
        context.Store.Statistics.CmdGet++;
        context.Store.Statistics.GetMisses++;
        ReplyBuffer reply = context.Reply;
        int start = reply.Length;
        reply.Append("EN"u8);
        bool mirrored = MetaReply.TryMirror(reply, line, flags);
        if (mirrored && !context.NoReply)
        {
            reply.Append("\r\n"u8);
            return;
        }

        reply.Truncate(start);
        if (!mirrored)
        {
            context.Insist(MetaReply.OpaqueTooLong);
        }
    }

    private static bool TryHit(CommandContext context, in CommandLine line, in MetaFlags flags, Item item, bool created)
    {
        ReplyBuffer reply = context.Reply;
        if (flags.WantsValue)
        {
            reply.Append("VA "u8);
            reply.Append((ulong)item.Value.Length);
        }
        else
        {
            reply.Append("HD"u8);
        }

        bool won = false;
        for (int i = 2; i < line.Count; i++)
        {
            byte flag = line[i][0];
            switch (flag)
            {
                case (byte)'T':
                    item.Expires = flags.Expires;
                    break;
                case (byte)'N' when created:
                    item.Expires = flags.VivifyExpires;
                    won = true;
                    break;
                case (byte)'R':
                    won |= !item.Has(ItemMarks.TokenSent) && !created && item.Expires != 0 && item.Expires < flags.RecacheBefore;
                    break;
                case (byte)'O':
                    if (!MetaReply.TryOpaque(reply, line[i]))
                    {
                        return false;
                    }

                    break;
                default:
                    Show(reply, flag, item, context.Now);
                    break;
            }
        }

        Marks(reply, item, won);
        reply.Append("\r\n"u8);
        if (flags.WantsValue)
        {
            reply.Line(item.Value);
        }

        return true;
    }

    private static void Show(ReplyBuffer reply, byte flag, Item item, uint now)
    {
        switch (flag)
        {
            case (byte)'s':
                MetaReply.Number(reply, flag, (ulong)item.Value.Length);
                break;
            case (byte)'t':
                MetaReply.TimeLeft(reply, item, now);
                break;
            case (byte)'c':
                MetaReply.Number(reply, flag, item.Cas);
                break;
            case (byte)'f':
                MetaReply.Number(reply, flag, item.ClientFlags);
                break;
            case (byte)'l':
                MetaReply.Number(reply, flag, now - item.LastAccess);
                break;
            case (byte)'h':
                MetaReply.Number(reply, flag, item.Has(ItemMarks.Fetched) ? 1UL : 0);
                break;
            case (byte)'k':
                MetaReply.Key(reply, item.Key, item.Has(ItemMarks.BinaryKey));
                break;
        }
    }

    /// <summary>
    /// <c>Z</c>: another caller was told <c>W</c>. <c>X</c>: the value is stale, and the first to see that wins as well.
    /// <c>W</c>: this caller is to recache.
    /// </summary>
    private static void Marks(ReplyBuffer reply, Item item, bool won)
    {
        bool sent = item.Has(ItemMarks.TokenSent);
        if (sent)
        {
            MetaReply.Flag(reply, (byte)'Z');
        }

        if (item.Has(ItemMarks.Stale))
        {
            MetaReply.Flag(reply, (byte)'X');
            won |= !sent;
        }

        if (won)
        {
            MetaReply.Flag(reply, (byte)'W');
            item.Marks |= ItemMarks.TokenSent;
        }
    }
}
