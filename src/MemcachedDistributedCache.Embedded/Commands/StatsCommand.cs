using MemcachedDistributedCache.Embedded.Protocol;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary><c>stats [group]</c>: <c>STAT name value</c> lines and <c>END</c>.</summary>
internal static class StatsCommand
{
    public static void Execute(CommandContext context, in CommandLine line)
    {
        ReadOnlySpan<byte> group = line[1];
        switch (group)
        {
            case []:
                GeneralStats.Write(context);
                break;
            case var _ when group.SequenceEqual("settings"u8):
                SettingsStats.Write(context);
                break;
            case var _ when group.SequenceEqual("items"u8):
                SlabStats.WriteItems(context);
                break;
            case var _ when group.SequenceEqual("slabs"u8):
                SlabStats.WriteSlabs(context);
                break;
            case var _ when group.SequenceEqual("sizes"u8):
                Stat(context, "sizes_status", "disabled");
                break;
            case var _ when group.SequenceEqual("conns"u8):
                context.Server.WriteConnections(context);
                break;
            case var _ when group.SequenceEqual("reset"u8):
                context.Store.ResetStatistics();
                context.Say("RESET"u8);
                return;
            case var _ when group.SequenceEqual("cachedump"u8):
                context.Say("CLIENT_ERROR stats cachedump not allowed"u8);
                return;
            case var _ when group.SequenceEqual("detail"u8):
                Detail(context, line[2]);
                return;
            default:
                context.Say("ERROR"u8);
                return;
        }

        context.Say("END"u8);
    }

    public static void Stat(CommandContext context, string name, string value)
    {
        ReplyBuffer reply = context.Reply;
        reply.Append("STAT "u8);
        reply.Append(name);
        reply.Append((byte)' ');
        reply.Append(value);
        reply.Append("\r\n"u8);
    }

    public static void Stat(CommandContext context, string name, long value) => Stat(context, name, value.ToString());

    private static void Detail(CommandContext context, ReadOnlySpan<byte> verb)
    {
        // Counts by key prefix are not kept, so the dump is empty whatever was switched on.
        context.Say(verb switch
        {
            _ when verb.SequenceEqual("on"u8) || verb.SequenceEqual("off"u8) => "OK"u8,
            _ when verb.SequenceEqual("dump"u8) => "END"u8,
            _ => "CLIENT_ERROR usage: stats detail on|off|dump"u8,
        });
    }
}
