using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// <c>set key flags exptime bytes [noreply]</c> and its kin, and <c>cas key flags exptime bytes cas [noreply]</c>, each followed by
/// <c>data CR LF</c>.
/// </summary>
internal static class StorageCommands
{
    public const int LineEndBytes = 2;

    public static Next Begin(CommandContext context, in CommandLine line, StoreMode mode)
    {
        context.NoReply = line.EndsWithNoReply;
        ulong cas = 0;
        if (line[1].Length > CommandContext.MaximumKeyBytes
            || !CNumber.TryUInt32(line[2], out uint flags)
            || !CNumber.TryInt32(line[3], out int time)
            || !CNumber.TryInt32(line[4], out int length)
            || (mode == StoreMode.Cas && !CNumber.TryUInt64(line[5], out cas))
            || length is < 0 or > int.MaxValue - LineEndBytes)
        {
            // The data block that may follow is not swallowed: it will be read as commands, as memcached does.
            context.SayBadFormat();
            return Next.Line;
        }

        ItemStore store = context.Store;
        if (Refusal(store, line[1].Length, flags, length) is { } refusal)
        {
            CountRefusal(store, refusal, Item.Size(line[1].Length, flags, 0) + length);
            context.Say(Text(refusal));

            // A value that could not replace the old one must not leave the old one to be read as current.
            if (mode == StoreMode.Set && store.Find(line[1], context.Now) is { } old)
            {
                store.Unlink(old);
            }

            return Next.Swallow((long)length + LineEndBytes);
        }

        var item = new Item(line[1].ToArray(), GC.AllocateUninitializedArray<byte>(length), flags, store.Clock.Expiry(time, context.Now))
        {
            Cas = cas,
        };
        return Receive(context, new Upload(item, mode) { NoReply = context.NoReply });
    }

    /// <summary>Takes the memory of an item and waits for its data block.</summary>
    public static Next Receive(CommandContext context, Upload upload)
    {
        context.Store.Reserve(upload.Item.TotalBytes, context.Now);
        return new Next(NextKind.Data, 0, upload);
    }

    /// <summary>Gives up an upload whose client left before it was complete.</summary>
    public static void Abandon_NeedsGate(CommandContext context, Upload upload) => context.Store.Release(upload.Item.TotalBytes);

    /// <summary>Stores a block that has arrived in full, and answers.</summary>
    public static void Complete(CommandContext context, Upload upload)
    {
        context.Store.Release(upload.Item.TotalBytes);
        context.Store.Statistics.CmdSet++;
        context.NoReply = upload.NoReply;
        if (!upload.IsValid)
        {
            context.NoReply &= !upload.IsMeta;
            context.Say("CLIENT_ERROR bad data chunk"u8);
            return;
        }

        StoreOutcome outcome = StoreRules.Apply(context.Store, upload, context.Now);
        if (upload.IsMeta)
        {
            MetaSet.Complete(context, upload, outcome);
            return;
        }

        context.Say(outcome switch
        {
            StoreOutcome.Stored => "STORED"u8,
            StoreOutcome.Exists => "EXISTS"u8,
            StoreOutcome.NotFound => "NOT_FOUND"u8,
            _ => "NOT_STORED"u8,
        });
    }

    public static StoreRefusal? Refusal(ItemStore store, int keyBytes, uint flags, int valueBytes)
    {
        long size = (long)Item.Size(keyBytes, flags, 0) + valueBytes;
        if (size > int.MaxValue || !store.FitsAnItem((int)size))
        {
            return StoreRefusal.TooLarge;
        }

        return store.CanHold((int)size) ? null : StoreRefusal.NoMemory;
    }

    public static void CountRefusal(ItemStore store, StoreRefusal refusal, int bytes)
    {
        if (refusal == StoreRefusal.TooLarge)
        {
            store.Statistics.StoreTooLarge++;
            return;
        }

        store.Statistics.StoreNoMemory++;
        store.Statistics.OfClass(SlabClasses.ClassOf(bytes)).OutOfMemory++;
    }

    public static ReadOnlySpan<byte> Text(StoreRefusal refusal)
        => refusal == StoreRefusal.TooLarge
            ? "SERVER_ERROR object too large for cache"u8
            : "SERVER_ERROR out of memory storing object"u8;
}

internal enum StoreRefusal
{
    TooLarge,
    NoMemory,
}
