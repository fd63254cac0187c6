namespace MemcachedDistributedCache.Testing;

/// <summary>What a caller asks.</summary>
/// <param name="Verb">The operation.</param>
/// <param name="Value">The text that is stored, put behind or put before.</param>
/// <param name="Cas">The state that is compared, from an earlier answer.</param>
/// <param name="Delta">How much is added or taken.</param>
/// <param name="Initial">The number that is made where there is none.</param>
/// <param name="TimeToLive">In seconds.</param>
public sealed record ModelCall(
    ModelVerb Verb,
    string Value = "",
    MemcachedCas Cas = default,
    ulong Delta = 0,
    ulong? Initial = null,
    int TimeToLive = 60)
{
    /// <summary>Asks a client.</summary>
    /// <param name="client">The client.</param>
    /// <param name="key">The key.</param>
    /// <param name="blocking">By the methods without <c>Async</c>, on a thread that they may block.</param>
    public Task<ModelAnswer> AskAsync(IMemcachedClient client, string key, bool blocking = false)
        => blocking ? Task.Run(() => Ask(client, key)) : AskAsync(client, key);

    private async Task<ModelAnswer> AskAsync(IMemcachedClient client, string key)
    {
        var time = TimeSpan.FromSeconds(TimeToLive);
        return Verb switch
        {
            ModelVerb.Get => ModelAnswer.Of(await client.GetAsync<string>(key)),
            ModelVerb.GetItem => ModelAnswer.Of(await client.GetItemAsync<string>(key)),
            ModelVerb.GetAndTouch => ModelAnswer.Of(await client.GetAndTouchAsync<string>(key, time)),
            ModelVerb.Set => ModelAnswer.Of(await client.SetAsync(key, Value, time)),
            ModelVerb.Add => ModelAnswer.Of(await client.AddAsync(key, Value, time)),
            ModelVerb.Replace => ModelAnswer.Of(await client.ReplaceAsync(key, Value, time)),
            ModelVerb.Append => ModelAnswer.Of(await client.AppendAsync(key, Value)),
            ModelVerb.Prepend => ModelAnswer.Of(await client.PrependAsync(key, Value)),
            ModelVerb.CompareAndSet => ModelAnswer.Of(await client.CompareAndSetAsync(key, Value, Cas, time)),
            ModelVerb.Delete => ModelAnswer.Of(await client.DeleteAsync(key)),
            ModelVerb.CompareAndDelete => ModelAnswer.Of(await client.CompareAndDeleteAsync(key, Cas)),
            ModelVerb.Touch => ModelAnswer.Of(await client.TouchAsync(key, time)),
            ModelVerb.Increment when Initial is { } initial => ModelAnswer.Of(await client.IncrementAsync(key, Delta, initial, time)),
            ModelVerb.Increment => ModelAnswer.Of(await client.IncrementAsync(key, Delta)),
            _ when Initial is { } initial => ModelAnswer.Of(await client.DecrementAsync(key, Delta, initial, time)),
            _ => ModelAnswer.Of(await client.DecrementAsync(key, Delta)),
        };
    }

    private ModelAnswer Ask(IMemcachedClient client, string key)
    {
        var time = TimeSpan.FromSeconds(TimeToLive);
        return Verb switch
        {
            ModelVerb.Get => ModelAnswer.Of(client.Get<string>(key)),
            ModelVerb.GetItem => ModelAnswer.Of(client.GetItem<string>(key)),
            ModelVerb.GetAndTouch => ModelAnswer.Of(client.GetAndTouch<string>(key, time)),
            ModelVerb.Set => ModelAnswer.Of(client.Set(key, Value, time)),
            ModelVerb.Add => ModelAnswer.Of(client.Add(key, Value, time)),
            ModelVerb.Replace => ModelAnswer.Of(client.Replace(key, Value, time)),
            ModelVerb.Append => ModelAnswer.Of(client.Append(key, Value)),
            ModelVerb.Prepend => ModelAnswer.Of(client.Prepend(key, Value)),
            ModelVerb.CompareAndSet => ModelAnswer.Of(client.CompareAndSet(key, Value, Cas, time)),
            ModelVerb.Delete => ModelAnswer.Of(client.Delete(key)),
            ModelVerb.CompareAndDelete => ModelAnswer.Of(client.CompareAndDelete(key, Cas)),
            ModelVerb.Touch => ModelAnswer.Of(client.Touch(key, time)),
            ModelVerb.Increment when Initial is { } initial => ModelAnswer.Of(client.Increment(key, Delta, initial, time)),
            ModelVerb.Increment => ModelAnswer.Of(client.Increment(key, Delta)),
            _ when Initial is { } initial => ModelAnswer.Of(client.Decrement(key, Delta, initial, time)),
            _ => ModelAnswer.Of(client.Decrement(key, Delta)),
        };
    }
}
