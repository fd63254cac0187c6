using System.Buffers.Text;
using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

internal enum DeltaOutcome
{
    Done,
    NotFound,
    NotNumeric,
    CasMismatch,
    NoMemory,
}

/// <summary><c>incr key delta [noreply]</c> and <c>decr key delta [noreply]</c>.</summary>
internal static class ArithmeticCommands
{
    /// <summary>memcached keeps larger values in chunks, where it does no arithmetic, however much they look like numbers.</summary>
    private const int LargestWholeItem = SlabClasses.PageBytes / 2;

    public static void Increment(CommandContext context, in CommandLine line) => Execute(context, line, increment: true);

    public static void Decrement(CommandContext context, in CommandLine line) => Execute(context, line, increment: false);

    private static void Execute(CommandContext context, in CommandLine line, bool increment)
    {
        context.NoReply = line.EndsWithNoReply;
        if (line[1].Length > CommandContext.MaximumKeyBytes)
        {
            context.SayBadFormat();
            return;
        }

        if (!CNumber.TryUInt64(line[2], out ulong delta))
        {
            context.Say("CLIENT_ERROR invalid numeric delta argument"u8);
            return;
        }

        switch (Add(context, line[1], increment, delta, cas: 0, out ulong number, out _))
        {
            case DeltaOutcome.Done:
                Span<byte> text = stackalloc byte[20];
                Utf8Formatter.TryFormat(number, text, out int count);
                context.Say(text[..count]);
                break;
            case DeltaOutcome.NotNumeric:
                context.Say("CLIENT_ERROR cannot increment or decrement non-numeric value"u8);
                break;
            case DeltaOutcome.NoMemory:
                context.Say("SERVER_ERROR out of memory"u8);
                break;
            default:
                CountMiss(context, increment);
                context.Say("NOT_FOUND"u8);
                break;
        }
    }

    public static void CountMiss(CommandContext context, bool increment)
        => _ = increment ? context.Store.Statistics.IncrMisses++ : context.Store.Statistics.DecrMisses++;

    /// <summary>
    /// Adds to or subtracts from a decimal number: up wraps at 64 bits, down stops at 0. A number that fits the old length
    /// is padded with spaces behind; a longer one makes a new item, and <paramref name="affected"/> is then the old one,
    /// which is what memcached goes on to work with.
    /// </summary>
    public static DeltaOutcome Add(
        CommandContext context,
        ReadOnlySpan<byte> key,
        bool increment,
        ulong delta,
        ulong cas,
        out ulong number,
        out Item? affected)
    {
        ItemStore store = context.Store;
        number = 0;
        affected = null;
        if (store.Find(key, context.Now) is not { } item)
        {
            return DeltaOutcome.NotFound;
        }

        if (item.Value.Length == 0 || item.TotalBytes > LargestWholeItem)
        {
            return DeltaOutcome.NotNumeric;
        }

        if (cas != 0 && cas != item.Cas)
        {
            return DeltaOutcome.CasMismatch;
        }

        if (!CNumber.TryUInt64(item.Value, out number))
        {
            return DeltaOutcome.NotNumeric;
        }

        number = increment ? unchecked(number + delta) : number - Math.Min(number, delta);
        _ = increment ? store.Statistics.IncrHits++ : store.Statistics.DecrHits++;

        byte[] value = new byte[20];
        Utf8Formatter.TryFormat(number, value, out int count);
        if (count <= item.Value.Length)
        {
            byte[] padded = new byte[item.Value.Length];
            value.AsSpan(0, count).CopyTo(padded);
            padded.AsSpan(count).Fill((byte)' ');
            item.Value = padded;
            item.Cas = store.NextCas();
            store.Renew(item, context.Now);
        }
        else
        {
            if (StorageCommands.Refusal(store, item.Key.Length, item.ClientFlags, count) is not null)
            {
                return DeltaOutcome.NoMemory;
            }

            var longer = new Item(item.Key, value[..count], item.ClientFlags, item.Expires);
            store.Replace(item, longer, context.Now);
            item.Cas = longer.Cas;
        }

        affected = item;
        return DeltaOutcome.Done;
    }
}
