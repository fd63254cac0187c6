namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The outcome of a single flight: a value that each of its callers takes. Where the value can be changed, the first gets the object
/// itself and each other one of its own, made from the payload. Where there is no payload, because the value is not kept or could
/// not be serialized, all have the same object.
/// </summary>
internal sealed class Outcome<T>(T value, MemcachedHybridSource source, CachedEntry? entry)
{
    private int _taken;

    /// <summary>No value: there was none, and the caller wanted none to be made.</summary>
    public static Outcome<T> None { get; } = new(default!, MemcachedHybridSource.None, null);

    /// <summary>Where the value came from.</summary>
    public MemcachedHybridSource Source => source;

    /// <summary>The refresh that was begun because the value is stale; null in it where another process refreshes.</summary>
    public Task<Outcome<T>?>? Refresh { get; init; }

    /// <summary>The value for one caller.</summary>
    public T Take(ValueCodec<T> codec)
    {
        if (ShareableTypes<T>.IsShareable || value is null || Interlocked.Exchange(ref _taken, 1) == 0 || entry is null || entry.Payload.IsEmpty)
        {
            return value;
        }

        try
        {
            return codec.Read(entry.Kind, entry.Payload);
        }
        catch (Exception)
        {
            // A serializer that cannot read what it wrote: better the same object than none.
            return value;
        }
    }
}
