using MemcachedDistributedCache.Embedded.Protocol;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>The continuation after a command line.</summary>
internal enum NextKind
{
    /// <summary>The next command line.</summary>
    Line,

    /// <summary>A data block for <see cref="Next.Upload"/>.</summary>
    Data,

    /// <summary><see cref="Next.Count"/> bytes that belong to a refused store and are thrown away.</summary>
    Swallow,

    /// <summary>The keys of a retrieval, fetched one by one as there is room for them.</summary>
    Retrieve,

    /// <summary>Send what is ready, then close.</summary>
    Close,

    /// <summary>Close without sending what memcached would not have sent yet.</summary>
    Abort,
}

internal readonly record struct Next(NextKind Kind, long Count = 0, Upload? Upload = null, Retrieval Retrieval = default)
{
    public static readonly Next Line = new(NextKind.Line);

    public static Next Swallow(long bytes) => new(NextKind.Swallow, bytes);
}

/// <summary>
/// Names to commands. Token counts are checked here, where memcached checks them, because a wrong count is <c>ERROR</c>
/// whatever the rest says.
/// </summary>
internal static class CommandTable
{
    public static Next Execute(CommandContext context, ReadOnlySpan<byte> text)
    {
        context.BeginCommand();
        var line = new CommandLine(text);
        ReadOnlySpan<byte> name = line[0];
        if (name.Length < 2)
        {
            context.Say("ERROR"u8);
            return Next.Line;
        }

        if (name.Length == 2 && name[0] == 'm')
        {
            return ExecuteMeta(context, line, name[1]);
        }

        return ExecuteClassic(context, line, name) ?? Unknown(context, line);
    }

    private static Next ExecuteMeta(CommandContext context, in CommandLine line, byte verb)
    {
        if (verb is (byte)'g' or (byte)'s' or (byte)'d' or (byte)'a' && line.Count < 2)
        {
            context.Say("ERROR"u8);
            return Next.Line;
        }

        EmbeddedMemcachedRelease release = context.Server.Release;
        if (release != EmbeddedMemcachedRelease.Release1618 && OldMetaCommands.TryRefuse(context, line, verb, release))
        {
            return Next.Line;
        }

        switch (verb)
        {
            case (byte)'g':
                MetaGet.Execute(context, line);
                break;
            case (byte)'s':
                return MetaSet.Begin(context, line);
            case (byte)'d':
                MetaDelete.Execute(context, line);
                break;
            case (byte)'a':
                MetaArithmetic.Execute(context, line);
                break;
            case (byte)'e':
                MetaDebug.Execute(context, line);
                break;
            case (byte)'n':
                context.Say("MN"u8);
                context.Reply.Seal();
                break;
            default:
                context.Say("ERROR"u8);
                break;
        }

        return Next.Line;
    }

    private static Next? ExecuteClassic(CommandContext context, in CommandLine line, ReadOnlySpan<byte> name)
    {
        int count = line.Count;
        if (StoreModes.TryFind(name, out StoreMode mode))
        {
            int wanted = mode == StoreMode.Cas ? 6 : 5;
            return count == wanted || count == wanted + 1 ? StorageCommands.Begin(context, line, mode) : Error(context);
        }

        if (Retrieval.TryFind(name, out Retrieval retrieval))
        {
            return count < 2 ? Error(context) : RetrievalCommands.Begin(context, line, retrieval);
        }

        switch (name)
        {
            case var _ when name.SequenceEqual("incr"u8):
                return Run(context, line, 3, 4, ArithmeticCommands.Increment);
            case var _ when name.SequenceEqual("decr"u8):
                return Run(context, line, 3, 4, ArithmeticCommands.Decrement);
            case var _ when name.SequenceEqual("delete"u8):
                return Run(context, line, 2, 4, KeyCommands.Delete);
            case var _ when name.SequenceEqual("touch"u8):
                return Run(context, line, 3, 4, KeyCommands.Touch);
            case var _ when name.SequenceEqual("flush_all"u8):
                return Run(context, line, 1, 3, AdminCommands.FlushAll);
            case var _ when name.SequenceEqual("verbosity"u8):
                return Run(context, line, 2, 3, AdminCommands.Verbosity);
            case var _ when name.SequenceEqual("cache_memlimit"u8):
                return Run(context, line, 2, 3, AdminCommands.MemoryLimit);
            case var _ when name.SequenceEqual("stats"u8):
                return Run(context, line, 1, int.MaxValue, StatsCommand.Execute);
            case var _ when name.SequenceEqual("version"u8):
                return Run(context, line, 1, int.MaxValue, AdminCommands.Version);
            case var _ when name.SequenceEqual("quit"u8):
                return new Next(NextKind.Close);
            case var _ when name.SequenceEqual("shutdown"u8):
                return Refuse(context, "ERROR: shutdown not enabled"u8);
            case var _ when name.SequenceEqual("watch"u8):
                return Refuse(context, "CLIENT_ERROR watch commands not allowed"u8);
            case var _ when name.SequenceEqual("lru_crawler"u8):
                return Run(context, line, 1, int.MaxValue, AdminCommands.LruCrawler);
            case var _ when name.SequenceEqual("slabs"u8):
                return Run(context, line, 1, int.MaxValue, AdminCommands.Slabs);
            default:
                return null;
        }
    }

    private delegate void Command(CommandContext context, in CommandLine line);

    private static Next Run(CommandContext context, in CommandLine line, int fewest, int most, Command command)
    {
        if (line.Count < fewest || line.Count > most)
        {
            return Error(context);
        }

        command(context, line);
        return Next.Line;
    }

    private static Next Error(CommandContext context) => Refuse(context, "ERROR"u8);

    private static Next Refuse(CommandContext context, ReadOnlySpan<byte> answer)
    {
        context.Say(answer);
        return Next.Line;
    }

    private static Next Unknown(CommandContext context, in CommandLine line)
    {
        // A browser or a forged web request: memcached hangs up rather than read headers as commands. It does not look for
        // that behind the first letters of its busiest commands.
        if (!"gsacidt"u8.Contains(line[0][0]) && line[line.Count - 1].StartsWith("HTTP/"u8))
        {
            return new Next(NextKind.Abort);
        }

        return Error(context);
    }
}
