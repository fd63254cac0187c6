using MemcachedDistributedCache.Embedded.Net;
using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// The surroundings of a command: the node's memory, the replies of this connection, and how this request wants to be
/// answered.
/// </summary>
internal sealed class CommandContext(ItemStore store, ServerState server, ReplyBuffer reply)
{
    public const int MaximumKeyBytes = 250;

    public ItemStore Store { get; } = store;

    public ServerState Server { get; } = server;

    public ReplyBuffer Reply { get; } = reply;

    /// <summary>The second in which the current batch runs.</summary>
    public uint Now { get; private set; }

    /// <summary>The current request asked for silence.</summary>
    public bool NoReply { get; set; }

    /// <summary>When this connection last sent a command.</summary>
    public uint LastCommandAt { get; private set; }

    public void BeginBatch_NeedsGate() => Now = Store.Clock.Now;

    public void BeginCommand()
    {
        NoReply = false;
        LastCommandAt = Now;
    }

    /// <summary>An answer that <c>noreply</c> silences.</summary>
    public void Say(ReadOnlySpan<byte> line)
    {
        if (!NoReply)
        {
            Reply.Line(line);
        }
    }

    /// <summary>An answer that is given even to those who asked for none: the meta commands never hide errors.</summary>
    public void Insist(ReadOnlySpan<byte> line)
    {
        NoReply = false;
        Reply.Line(line);
    }

    public void SayBadFormat() => Say("CLIENT_ERROR bad command line format"u8);

    public void InsistBadFormat() => Insist("CLIENT_ERROR bad command line format"u8);
}
