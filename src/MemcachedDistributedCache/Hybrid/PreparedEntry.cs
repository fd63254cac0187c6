using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Layout;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>A value that has been serialized, with all that goes before it in the cluster.</summary>
internal sealed class PreparedEntry<T>(T value, PooledWriter writer, int header, PayloadKind kind, EntryHead head) : IDisposable
{
    public T Value => value;

    public PayloadKind Kind => kind;

    public EntryHead Head => head;

    /// <summary>From its creation to its expiration, in milliseconds.</summary>
    public long Lifetime => head.ExpiresAt - head.CreatedAt;

    public int PayloadLength => writer.Length - header;

    /// <summary>All of it, valid until it is disposed.</summary>
    public ReadOnlyMemory<byte> Item => writer.Written;

    /// <summary>The same entry without its value.</summary>
    public byte[] NewMark()
    {
        byte[] mark = writer.Written.Span[..header].ToArray();
        EntryLayout.Complete(mark, PayloadKind.Elsewhere, head.CreatedAt, head.ExpiresAt, payloadLength: 0);
        return mark;
    }

    public byte[] CopyPayload() => writer.Written.Span[header..].ToArray();

    public void Dispose() => writer.Dispose();
}
