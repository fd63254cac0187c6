using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache;

/// <summary>
/// The state of an item, as memcached numbers it: each change gives the item another number. A store or a deletion that is given one
/// happens only to the item in that state. The number is good for the connection that told it, since a server that was restarted
/// counts anew: after a reconnect such a change is a <see cref="MemcachedOutcome.Conflict"/>, and the item has to be read again. Calls that
/// block have a connection of their own, so a state that an asynchronous call has told is a conflict to them, and the reverse.
/// </summary>
public readonly struct MemcachedCas : IEquatable<MemcachedCas>
{
    internal MemcachedCas(CasToken token) => Token = token;

    /// <summary>The number; 0 where the server has told none, as one that runs with <c>-C</c>.</summary>
    public ulong Number => Token.Cas;

    /// <summary>The state is known. With one that is not, every change is a <see cref="MemcachedOutcome.Conflict"/>.</summary>
    public bool IsKnown => Token.IsKnown;

    internal CasToken Token { get; }

    /// <summary>Both are the same state, told by the same connection.</summary>
    /// <param name="left">A state.</param>
    /// <param name="right">Another.</param>
    public static bool operator ==(MemcachedCas left, MemcachedCas right) => left.Equals(right);

    /// <summary>They are two states, or were told by two connections.</summary>
    /// <param name="left">A state.</param>
    /// <param name="right">Another.</param>
    public static bool operator !=(MemcachedCas left, MemcachedCas right) => !left.Equals(right);

    /// <inheritdoc/>
    public bool Equals(MemcachedCas other) => Token == other.Token;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MemcachedCas other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Token.Cas.GetHashCode();

    /// <summary>The number.</summary>
    public override string ToString() => Number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
