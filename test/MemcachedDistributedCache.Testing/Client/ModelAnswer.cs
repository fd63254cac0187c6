using System.Runtime.InteropServices;

namespace MemcachedDistributedCache.Testing;

/// <summary>What a caller was told.</summary>
/// <param name="Outcome">The outcome.</param>
/// <param name="Value">The text that was read.</param>
/// <param name="Number">The number after an increment or a decrement.</param>
/// <param name="Cas">The state that was told; 0 where none was, as after a store by classic commands.</param>
/// <param name="Token">The same for a later compare.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ModelAnswer(
    MemcachedOutcome Outcome,
    string? Value = null,
    ulong Number = 0,
    ulong Cas = 0,
    MemcachedCas Token = default)
{
    /// <summary>The answer to a read.</summary>
    public static ModelAnswer Of(MemcachedResult<string> result) => new(result.Outcome, result.ValueOrDefault);

    /// <summary>The answer to a read with CAS.</summary>
    public static ModelAnswer Of(MemcachedResult<MemcachedItem<string>> result)
        => result.TryGetValue(out MemcachedItem<string>? item)
            ? new(result.Outcome, item.Value, Cas: item.Cas.IsKnown ? item.Cas.Number : 0, Token: item.Cas)
            : new(result.Outcome);

    /// <summary>The answer to a change.</summary>
    public static ModelAnswer Of(MemcachedResult result)
        => new(result.Outcome, Cas: result.Cas.IsKnown ? result.Cas.Number : 0, Token: result.Cas);

    /// <summary>The answer to an increment or a decrement.</summary>
    public static ModelAnswer Of(MemcachedResult<ulong> result) => new(result.Outcome, Number: result.ValueOrDefault);
}
