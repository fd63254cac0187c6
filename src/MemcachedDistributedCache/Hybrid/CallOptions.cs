using System.Runtime.InteropServices;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The options of a call, with the defaults filled in.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct CallOptions(TimeSpan Expiration, TimeSpan LocalExpiration, HybridCacheEntryFlags Flags)
{
    /// <summary>The <see cref="LocalSize"/> of a caller who gives none.</summary>
    private const long ComputedSize = -1;

    /// <summary>The bytes that the local copy counts for; below zero where they are computed.</summary>
    public long LocalSize { get; init; } = ComputedSize;

    /// <summary>
    /// Fills in what a caller left out. One who gives an expiration and no local one means both, as with Microsoft's
    /// implementation.
    /// </summary>
    public static CallOptions From(HybridCacheEntryOptions? options, MemcachedHybridCacheOptions defaults)
    {
        if (options is null)
        {
            return new CallOptions(defaults.DefaultExpiration, defaults.LocalCacheExpiration, HybridCacheEntryFlags.None);
        }

        return new CallOptions(
            options.Expiration ?? defaults.DefaultExpiration,
            options.LocalCacheExpiration ?? options.Expiration ?? defaults.LocalCacheExpiration,
            options.Flags ?? HybridCacheEntryFlags.None)
        {
            LocalSize = Checked(options.LocalSize),
        };
    }

    /// <summary>The options in effect, which a factory is shown and may change.</summary>
    public HybridCacheEntryContext NewContext() => new(new HybridCacheEntryOptions
    {
        Expiration = Expiration,
        LocalCacheExpiration = LocalExpiration,
        Flags = Flags,
        LocalSize = LocalSize < 0 ? null : LocalSize,
    });

    /// <summary>
    /// The options that a factory has chosen. What it has set to null is the caller's again; but a factory that has changed the
    /// expiration and set the local one to null means both by the one, as a caller does who gives no local one. One who has kept
    /// out of the cluster has taken no lease, so that nothing says whether the key was removed while the factory ran: the factory
    /// cannot bring its value there.
    /// </summary>
    public CallOptions ChosenBy(HybridCacheEntryContext context) => new(
        context.Expiration ?? Expiration,
        context.LocalCacheExpiration ?? (context.Expiration is { } chosen && chosen != Expiration ? chosen : LocalExpiration),
        (context.Flags ?? Flags) | (Flags & HybridCacheEntryFlags.DisableDistributedCacheWrite))
    {
        LocalSize = Checked(context.LocalSize),
    };

    /// <summary>The same for a caller who neither asks the cluster nor stores there.</summary>
    public CallOptions OutOfTheCluster() => this with { Flags = Flags | HybridCacheEntryFlags.DisableDistributedCache };

    public bool MayReadLocal => (Flags & HybridCacheEntryFlags.DisableLocalCacheRead) == HybridCacheEntryFlags.None;

    public bool MayWriteLocal => (Flags & HybridCacheEntryFlags.DisableLocalCacheWrite) == HybridCacheEntryFlags.None;

    public bool MayReadRemote => (Flags & HybridCacheEntryFlags.DisableDistributedCacheRead) == HybridCacheEntryFlags.None;

    public bool MayWriteRemote => (Flags & HybridCacheEntryFlags.DisableDistributedCacheWrite) == HybridCacheEntryFlags.None;

    public bool MayCreate => (Flags & HybridCacheEntryFlags.DisableUnderlyingData) == HybridCacheEntryFlags.None;

    private static long Checked(long? localSize)
        => localSize switch
        {
            null => ComputedSize,
            < 0 => throw new ArgumentOutOfRangeException(
                nameof(localSize),
                localSize,
                "LocalSize, the bytes that a copy counts for in the local cache, cannot be below 0."),
            { } size => size,
        };

    /// <summary>The flags that make a difference here; values are never compressed.</summary>
    public HybridCacheEntryFlags Distinct => Flags & ~HybridCacheEntryFlags.DisableCompression;
}
