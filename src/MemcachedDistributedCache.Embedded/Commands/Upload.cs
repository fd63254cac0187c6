using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

internal enum StoreMode
{
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    Cas,
}

internal static class StoreModes
{
    public static bool TryFind(ReadOnlySpan<byte> name, out StoreMode mode)
    {
        StoreMode? found = name switch
        {
            _ when name.SequenceEqual("set"u8) => StoreMode.Set,
            _ when name.SequenceEqual("add"u8) => StoreMode.Add,
            _ when name.SequenceEqual("replace"u8) => StoreMode.Replace,
            _ when name.SequenceEqual("append"u8) => StoreMode.Append,
            _ when name.SequenceEqual("prepend"u8) => StoreMode.Prepend,
            _ when name.SequenceEqual("cas"u8) => StoreMode.Cas,
            _ => null,
        };
        mode = found ?? StoreMode.Set;
        return found is not null;
    }
}

/// <summary>A store whose data block is still arriving. <see cref="Item.Cas"/> holds the CAS asked for; 0 asks for none.</summary>
internal sealed class Upload(Item item, StoreMode mode)
{
    private int _lineEndBytes;
    private bool _goodEnd = true;

    public Item Item { get; } = item;

    public StoreMode Mode { get; } = mode;

    public int Filled { get; private set; }

    public bool NoReply { get; init; }

    /// <summary>A CAS older than the item's stores anyway, as a stale value (<c>ms … I C</c>).</summary>
    public bool AllowsStale { get; init; }

    /// <summary>Set for <c>ms</c>: the flags O, k and c in the order asked, to be mirrored in the reply.</summary>
    public byte[]? Mirrored { get; init; }

    public byte[] Opaque { get; init; } = [];

    public bool IsMeta => Mirrored is not null;

    public bool IsComplete => _lineEndBytes == 2;

    /// <summary>The block ended in CR LF, as it must.</summary>
    public bool IsValid => _goodEnd;

    /// <summary>Takes what belongs to the data block and its line end; returns how many bytes that was.</summary>
    public int Take(ReadOnlySpan<byte> input)
    {
        int taken = Math.Min(input.Length, Item.Value.Length - Filled);
        input[..taken].CopyTo(Item.Value.AsSpan(Filled));
        Filled += taken;
        while (taken < input.Length && Filled == Item.Value.Length && _lineEndBytes < 2)
        {
            _goodEnd &= input[taken++] == (_lineEndBytes++ == 0 ? '\r' : '\n');
        }

        return taken;
    }
}
