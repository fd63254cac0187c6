using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>Which of get, gets, gat and gats runs, and the expiry the touching ones set.</summary>
internal readonly record struct Retrieval(bool WithCas, bool Touches, uint Expires = 0)
{
    public static bool TryFind(ReadOnlySpan<byte> name, out Retrieval retrieval)
    {
        bool plain = name.SequenceEqual("get"u8) || name.SequenceEqual("bget"u8);
        bool cas = name.SequenceEqual("gets"u8);
        bool touch = name.SequenceEqual("gat"u8);
        bool touchCas = name.SequenceEqual("gats"u8);
        retrieval = new Retrieval(cas || touchCas, touch || touchCas);
        return plain || cas || touch || touchCas;
    }
}

/// <summary>
/// <c>get key *( SP key )</c>, <c>gets</c>, <c>gat exptime key *( SP key )</c>, <c>gats</c>: <c>VALUE key flags bytes
/// [cas]</c> and data for each hit, then <c>END</c>. One line may ask for more than fits any buffer, so keys are
/// fetched one at a time.
/// </summary>
internal static class RetrievalCommands
{
    public static Next Begin(CommandContext context, in CommandLine line, Retrieval retrieval)
    {
        if (!retrieval.Touches)
        {
            return new Next(NextKind.Retrieve, Retrieval: retrieval);
        }

        if (!CNumber.TryInt32(line[1], out int time))
        {
            context.Say("CLIENT_ERROR invalid exptime argument"u8);
            return Next.Line;
        }

        retrieval = retrieval with { Expires = context.Store.Clock.Expiry(time, context.Now) };
        return new Next(NextKind.Retrieve, Retrieval: retrieval);
    }

    /// <summary>Fetches keys from <paramref name="at"/> on until the line or the room ends; true when the line is done.</summary>
    public static bool Continue(CommandContext context, ReadOnlySpan<byte> text, ref int at, Retrieval retrieval)
    {
        ReadOnlySpan<byte> line = CommandLine.UntilNul(text);
        while (!context.Reply.IsFull)
        {
            if (!CommandLine.NextToken(line, ref at, out Range token))
            {
                context.Reply.Line("END"u8);
                context.Reply.Seal();
                return true;
            }

            ReadOnlySpan<byte> key = line[token];
            if (key.Length > CommandContext.MaximumKeyBytes)
            {
                // memcached drops the values it had gathered, and whatever other replies were not sent yet.
                context.Reply.DropUnsealed();
                context.SayBadFormat();
                return true;
            }

            Fetch(context, key, retrieval);
        }

        return false;
    }

    /// <summary>Where the keys begin: behind the name, and behind the exptime of a touching retrieval.</summary>
    public static int FirstKey(ReadOnlySpan<byte> text, Retrieval retrieval)
    {
        ReadOnlySpan<byte> line = CommandLine.UntilNul(text);
        int at = 0;
        CommandLine.NextToken(line, ref at, out _);
        if (retrieval.Touches)
        {
            CommandLine.NextToken(line, ref at, out _);
        }

        return at;
    }

    private static void Fetch(CommandContext context, ReadOnlySpan<byte> key, Retrieval retrieval)
    {
        StoreStatistics statistics = context.Store.Statistics;
        Item? item = context.Store.Find(key, context.Now);
        bool hit = item is not null;
        if (retrieval.Touches)
        {
            statistics.CmdTouch++;
            _ = hit ? statistics.TouchHits++ : statistics.TouchMisses++;
        }
        else
        {
            statistics.CmdGet++;
            _ = hit ? statistics.GetHits++ : statistics.GetMisses++;
        }

        if (item is null)
        {
            return;
        }

        context.Store.Bump(item, context.Now);
        if (retrieval.Touches)
        {
            item.Expires = retrieval.Expires;
        }

        ReplyBuffer reply = context.Reply;
        reply.Append("VALUE "u8);
        reply.Append(key);
        reply.Append((byte)' ');
        reply.Append(item.ClientFlags);
        reply.Append((byte)' ');
        reply.Append((ulong)item.Value.Length);
        if (retrieval.WithCas)
        {
            reply.Append((byte)' ');
            reply.Append(item.Cas);
        }

        reply.Append("\r\n"u8);
        reply.Line(item.Value);
    }
}
