using System.Globalization;

namespace MemcachedDistributedCache.Testing;

/// <summary>
/// Makes random calls of one seed. Keys of odd number hold text, the others numbers: bytes that are put behind a number leave the spaces
/// that memcached keeps behind shorter ones in the middle.
/// </summary>
/// <param name="seed">The seed.</param>
/// <param name="name">The name of the caller, a letter first, by which values are told apart.</param>
public sealed class ModelCaller(int seed, string name)
{
    private static readonly int[] TimesToLive = [15, 45, 125, 3605];

    private readonly Random _random = new(seed);
    private int _made;

    /// <summary>Makes a random call.</summary>
    /// <param name="numbers">For a key that holds numbers.</param>
    /// <param name="known">A state of the key that the caller was told, if any.</param>
    /// <param name="forEver">With one time to live that nobody sees the end of.</param>
    public ModelCall Next(bool numbers, MemcachedCas known, bool forEver = false)
    {
        int timeToLive = forEver ? 600 : TimesToLive[_random.Next(TimesToLive.Length)];
        string value = numbers ? _random.Next(5000).ToString(CultureInfo.InvariantCulture) : $"{name}{_made++}.";
        ModelVerb verb = _random.Next(100) switch
        {
            < 14 => ModelVerb.Get,
            < 30 => ModelVerb.GetItem,
            < 34 => ModelVerb.GetAndTouch,
            < 46 => ModelVerb.Set,
            < 52 => ModelVerb.Add,
            < 56 => ModelVerb.Replace,
            < 70 => known.IsKnown ? ModelVerb.CompareAndSet : ModelVerb.Set,
            < 75 => ModelVerb.Delete,
            < 79 => known.IsKnown ? ModelVerb.CompareAndDelete : ModelVerb.Delete,
            < 82 => ModelVerb.Touch,
            < 91 => numbers ? ModelVerb.Increment : _random.Next(6) == 0 ? ModelVerb.Increment : ModelVerb.Append,
            _ => numbers ? ModelVerb.Decrement : ModelVerb.Prepend,
        };
        ulong? initial = numbers && _random.Next(2) == 0 ? (ulong)_random.Next(1000) : null;
        return verb is ModelVerb.Increment or ModelVerb.Decrement
            ? new ModelCall(verb, Delta: Delta(forEver), Initial: initial, TimeToLive: timeToLive)
            : new ModelCall(verb, value, known, TimeToLive: timeToLive);
    }

    /// <summary>A number below the given one.</summary>
    public int Below(int limit) => _random.Next(limit);

    /// <summary>Numbers near the ends of 64 bits too, where nothing else is to be told apart by them.</summary>
    private ulong Delta(bool small)
        => !small && _random.Next(8) == 0 ? ulong.MaxValue - (ulong)_random.Next(3) : (ulong)_random.Next(1, 3000);
}
