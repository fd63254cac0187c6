namespace MemcachedDistributedCache;

/// <summary>
/// The key of an item. Most keys are a text and nothing else, which converts by itself: <c>client.GetAsync&lt;int&gt;("views")</c>.
/// The server sees the namespace of the options and this text. A text that memcached takes goes as it is, so that clients in other
/// languages find the item; <see cref="MemcachedClientOptions.IllegalKeys"/> says what becomes of another one.
/// </summary>
public readonly struct MemcachedKey : IEquatable<MemcachedKey>
{
    /// <summary>Makes a key.</summary>
    /// <param name="text">The text.</param>
    /// <param name="routing">
    /// The text whose server has the item, where that is not the key's own: keys with the same routing lie on one server. Every
    /// reader and writer of the key has to give the same.
    /// </param>
    /// <exception cref="ArgumentException">A text is empty.</exception>
    public MemcachedKey(string text, string? routing = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        if (routing is not null)
        {
            ArgumentException.ThrowIfNullOrEmpty(routing);
        }

        Text = text;
        Routing = routing;
    }

    /// <summary>The text.</summary>
    public string Text { get; }

    /// <summary>The text whose server has the item; null where that is the key's own.</summary>
    public string? Routing { get; }

    /// <summary>Makes a key of a text.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="ArgumentException">The text is empty.</exception>
    public static implicit operator MemcachedKey(string text) => new(text);

    /// <summary>Two keys with the same texts are one key.</summary>
    /// <param name="left">A key.</param>
    /// <param name="right">Another.</param>
    public static bool operator ==(MemcachedKey left, MemcachedKey right) => left.Equals(right);

    /// <summary>Two keys with different texts are two keys.</summary>
    /// <param name="left">A key.</param>
    /// <param name="right">Another.</param>
    public static bool operator !=(MemcachedKey left, MemcachedKey right) => !left.Equals(right);

    /// <summary>Makes a key of a text; for languages without implicit conversions.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The key.</returns>
    /// <exception cref="ArgumentException">The text is empty.</exception>
    public static MemcachedKey FromString(string text) => new(text);

    /// <inheritdoc/>
    public bool Equals(MemcachedKey other) => Text == other.Text && Routing == other.Routing;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MemcachedKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Text is null ? 0 : Text.GetHashCode(StringComparison.Ordinal);

    /// <summary>The text.</summary>
    public override string ToString() => Text ?? "";
}
