namespace MemcachedDistributedCache.Hybrid;

/// <summary>A call for a value: key, options and tags.</summary>
/// <param name="Key">The key.</param>
/// <param name="WireKey">The key in the cluster.</param>
/// <param name="Options">The options.</param>
/// <param name="Tags">The tags of the value, should it be made; that of all entries first.</param>
/// <param name="Version">The key's number in the local cache from before anything was asked.</param>
/// <param name="Codec">How values of the type are kept.</param>
internal sealed record Call<T>(string Key, byte[] WireKey, CallOptions Options, TagState[] Tags, long Version, ValueCodec<T> Codec)
{
    /// <summary>The key of the single flight that it shares with calls for the same.</summary>
    public SingleFlightKey SingleFlightKey => new(Key, Options.Distinct, typeof(T));
}
