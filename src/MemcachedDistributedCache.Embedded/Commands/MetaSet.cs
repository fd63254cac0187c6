using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// <c>ms key bytes *( SP flag )</c> and <c>data CR LF</c>: <c>HD</c> stored, <c>NS</c> not stored, <c>EX</c> CAS
/// mismatch, <c>NF</c> nothing to compare with; then O, k and c as asked.
/// </summary>
internal static class MetaSet
{
    public static Next Begin(CommandContext context, in CommandLine line)
    {
        if (line[1].Length > CommandContext.MaximumKeyBytes || line.Count == 2)
        {
            context.InsistBadFormat();
            return Next.Line;
        }

        if (line.Count >= MetaFlags.MaximumTokens + 1)
        {
            context.Insist("CLIENT_ERROR options flags too long"u8);
            return Next.Line;
        }

        if (!CNumber.TryInt32(line[2], out int length) || length is < 0 or > int.MaxValue - StorageCommands.LineEndBytes)
        {
            context.InsistBadFormat();
            return Next.Line;
        }

        var flags = new MetaFlags(stackalloc byte[CommandContext.MaximumKeyBytes]);
        if (!flags.TryRead(context, line, 3, out ReadOnlySpan<byte> error)
            || !TryMode(line, flags, out StoreMode mode, out error))
        {
            return Refuse(context, error, length);
        }

        ItemStore store = context.Store;
        if (StorageCommands.Refusal(store, flags.Key.Length, flags.ClientFlags, length) is { } refusal)
        {
            StorageCommands.CountRefusal(store, refusal, Item.Size(flags.Key.Length, flags.ClientFlags, 0) + length);
            if (store.Find(flags.Key, context.Now) is { } old)
            {
                store.Unlink(old);
            }

            return Refuse(context, StorageCommands.Text(refusal), length);
        }

        var item = new Item(flags.Key.ToArray(), GC.AllocateUninitializedArray<byte>(length), flags.ClientFlags, flags.Expires)
        {
            Cas = flags.Cas,
            Marks = flags.BinaryKey ? ItemMarks.BinaryKey : ItemMarks.None,
        };
        Mirror(line, out byte[] mirrored, out byte[] opaque);
        return StorageCommands.Receive(context, new Upload(item, mode)
        {
            NoReply = flags.Quiet,
            AllowsStale = flags.Invalidate && mode == StoreMode.Cas,
            Mirrored = mirrored,
            Opaque = opaque,
        });
    }

    public static void Complete(CommandContext context, Upload upload, StoreOutcome outcome)
    {
        if (outcome == StoreOutcome.Stored && upload.NoReply)
        {
            return;
        }

        ReplyBuffer reply = context.Reply;
        reply.Append(outcome switch
        {
            StoreOutcome.Stored => "HD"u8,
            StoreOutcome.Exists => "EX"u8,
            StoreOutcome.NotFound => "NF"u8,
            _ => "NS"u8,
        });
        foreach (byte flag in upload.Mirrored!)
        {
            switch (flag)
            {
                case (byte)'O':
                    MetaReply.TryOpaque(reply, upload.Opaque);
                    break;
                case (byte)'k':
                    MetaReply.Key(reply, upload.Item.Key, upload.Item.Has(ItemMarks.BinaryKey));
                    break;
                default:
                    MetaReply.Number(reply, flag, outcome == StoreOutcome.Stored ? upload.Item.Cas : 0);
                    break;
            }
        }

        reply.Append("\r\n"u8);
    }

    private static Next Refuse(CommandContext context, ReadOnlySpan<byte> error, int length)
    {
        context.Insist(error);
        return Next.Swallow((long)length + StorageCommands.LineEndBytes);
    }

    private static bool TryMode(in CommandLine line, in MetaFlags flags, out StoreMode mode, out ReadOnlySpan<byte> error)
    {
        StoreMode? found = flags.Mode switch
        {
            0 or (byte)'S' => StoreMode.Set,
            (byte)'E' => StoreMode.Add,
            (byte)'A' => StoreMode.Append,
            (byte)'P' => StoreMode.Prepend,
            (byte)'R' => StoreMode.Replace,
            _ => null,
        };
        mode = found ?? StoreMode.Set;
        if (flags.HasCas && (mode is StoreMode.Set or StoreMode.Replace))
        {
            mode = StoreMode.Cas;
        }

        error = default;
        for (int i = 3; i < line.Count; i++)
        {
            if (line[i][0] == 'O' && line[i].Length > MetaFlags.MaximumOpaqueBytes)
            {
                error = MetaReply.OpaqueTooLong;
            }
        }

        if (found is null)
        {
            error = "CLIENT_ERROR invalid mode for ms M token"u8;
        }

        return error.IsEmpty;
    }

    private static void Mirror(in CommandLine line, out byte[] mirrored, out byte[] opaque)
    {
        Span<byte> letters = stackalloc byte[3];
        int count = 0;
        opaque = [];
        for (int i = 3; i < line.Count; i++)
        {
            byte flag = line[i][0];
            if (flag is (byte)'O' or (byte)'k' or (byte)'c')
            {
                letters[count++] = flag;
                opaque = flag == 'O' ? line[i].ToArray() : opaque;
            }
        }

        mirrored = letters[..count].ToArray();
    }
}
