using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary><c>me key [b]</c>: <c>ME key exp= la= cas= fetch= cls= size=</c>, or <c>EN</c>.</summary>
internal static class MetaDebug
{
    public static void Execute(CommandContext context, in CommandLine line)
    {
        if (line.Count < 2 || line[1].Length > CommandContext.MaximumKeyBytes)
        {
            context.SayBadFormat();
            return;
        }

        Span<byte> decoded = stackalloc byte[CommandContext.MaximumKeyBytes];
        scoped ReadOnlySpan<byte> key = line[1];
        if (line[2].SequenceEqual("b"u8))
        {
            int count = Base64Key.Decode(key, decoded);
            if (count == 0)
            {
                context.SayBadFormat();
                return;
            }

            key = decoded[..count];
        }

        context.Store.Statistics.CmdMeta++;
        if (context.Store.Find(key, context.Now) is not { } item)
        {
            context.Say("EN"u8);
            return;
        }

        ReplyBuffer reply = context.Reply;
        reply.Append("ME "u8);
        if (item.Has(ItemMarks.BinaryKey))
        {
            Base64Key.Encode(item.Key, reply);
        }
        else
        {
            reply.Append(item.Key);
        }

        // The time left is negative here and −1 also means never; memcached prints it like that.
        int expires = item.Expires == 0 ? -1 : unchecked((int)(context.Now - item.Expires));
        string fetched = item.Has(ItemMarks.Fetched) ? "yes" : "no";
        reply.Append($" exp={expires} la={context.Now - item.LastAccess} cas={item.Cas} fetch={fetched} cls={SlabClasses.ClassOf(item.TotalBytes)} size={item.TotalBytes}\r\n");
    }
}
