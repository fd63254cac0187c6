using System.Buffers.Text;
using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// <c>ma key *( SP flag )</c>: <c>HD</c>, or <c>VA bytes</c> and the number with v; <c>NF</c>, <c>EX</c>. N creates a
/// missing counter with the value of J, to which D is then not applied. Quiet hides only a change of an existing
/// counter.
/// </summary>
internal static class MetaArithmetic
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

        if (flags.Mode is not (0 or (byte)'I' or (byte)'+' or (byte)'D' or (byte)'-'))
        {
            context.Insist("CLIENT_ERROR invalid mode for ma M token"u8);
            return;
        }

        Run(context, line, flags, increment: flags.Mode is 0 or (byte)'I' or (byte)'+');
    }

    private static void Run(CommandContext context, in CommandLine line, in MetaFlags flags, bool increment)
    {
        DeltaOutcome outcome = ArithmeticCommands.Add(context, flags.Key, increment, flags.Delta, flags.Cas, out ulong number, out Item? item);
        bool created = false;
        switch (outcome)
        {
            case DeltaOutcome.NotNumeric:
                context.Insist("CLIENT_ERROR cannot increment or decrement non-numeric value"u8);
                return;
            case DeltaOutcome.NoMemory:
                context.Insist("SERVER_ERROR out of memory"u8);
                return;
            case DeltaOutcome.NotFound when flags.Vivify:
                item = Create(context, flags, out number);
                if (item is null)
                {
                    context.Insist("SERVER_ERROR Out of memory allocating new item"u8);
                    return;
                }

                created = true;
                break;
            case DeltaOutcome.NotFound:
                ArithmeticCommands.CountMiss(context, increment);
                break;
        }

        ReplyBuffer reply = context.Reply;
        int start = reply.Length;
        bool written = item is null
            ? TryAnswerWithout(reply, line, flags, outcome)
            : TryAnswer(context, line, flags, item, created, number);
        if (!written || (flags.Quiet && outcome == DeltaOutcome.Done))
        {
            reply.Truncate(start);
        }

        if (!written)
        {
            context.Insist(MetaReply.OpaqueTooLong);
        }
    }

    private static Item? Create(CommandContext context, in MetaFlags flags, out ulong number)
    {
        number = flags.Initial;
        byte[] value = new byte[20];
        Utf8Formatter.TryFormat(number, value, out int count);
        if (StorageCommands.Refusal(context.Store, flags.Key.Length, 0, count) is not null)
        {
            return null;
        }

        var item = new Item(flags.Key.ToArray(), value[..count], 0, 0);
        context.Store.Link(item, context.Now);
        return item;
    }

    private static bool TryAnswerWithout(ReplyBuffer reply, in CommandLine line, in MetaFlags flags, DeltaOutcome outcome)
    {
        reply.Append(outcome == DeltaOutcome.CasMismatch ? "EX"u8 : "NF"u8);
        bool written = MetaReply.TryMirror(reply, line, flags);
        reply.Append("\r\n"u8);
        return written;
    }

    private static bool TryAnswer(CommandContext context, in CommandLine line, in MetaFlags flags, Item item, bool created, ulong number)
    {
        Span<byte> text = stackalloc byte[20];
        Utf8Formatter.TryFormat(number, text, out int count);
        ReplyBuffer reply = context.Reply;
        reply.Append(flags.WantsValue ? "VA "u8 : "HD"u8);
        if (flags.WantsValue)
        {
            reply.Append((ulong)count);
        }

        for (int i = 2; i < line.Count; i++)
        {
            byte flag = line[i][0];
            switch (flag)
            {
                case (byte)'c':
                    MetaReply.Number(reply, flag, item.Cas);
                    break;
                case (byte)'t':
                    MetaReply.TimeLeft(reply, item, context.Now);
                    break;
                case (byte)'T':
                    item.Expires = flags.Expires;
                    break;
                case (byte)'N' when created:
                    item.Expires = flags.VivifyExpires;
                    break;
                case (byte)'O':
                    if (!MetaReply.TryOpaque(reply, line[i]))
                    {
                        return false;
                    }

                    break;
                case (byte)'k':
                    MetaReply.Key(reply, flags.Key, flags.BinaryKey);
                    break;
            }
        }

        reply.Append("\r\n"u8);
        if (flags.WantsValue)
        {
            reply.Line(text[..count]);
        }

        return true;
    }
}
