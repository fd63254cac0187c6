namespace MemcachedDistributedCache.Testing;

/// <summary>Makes seeds of a seed: the same in every process, which <see cref="HashCode"/> is not.</summary>
public static class Seeds
{
    /// <summary>The seed of a part of a run.</summary>
    public static int Of(int seed, int part)
    {
        ulong x = ((ulong)(uint)seed << 32) | (uint)part;
        x = (x ^ (x >> 31)) * 0x7FB5D329728EA185;
        x = (x ^ (x >> 27)) * 0x81DADEF4BC2DD44D;
        return (int)((x ^ (x >> 33)) & int.MaxValue);
    }
}
