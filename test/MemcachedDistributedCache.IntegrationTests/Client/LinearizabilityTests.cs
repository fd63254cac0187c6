using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>The checker of histories, on histories of which it is known if they can be.</summary>
public sealed class LinearizabilityTests
{
    private static readonly object Origin = new();
    private static readonly ModelCall Get = new(ModelVerb.Get);
    private static readonly ModelCall GetItem = new(ModelVerb.GetItem);
    private static readonly ModelCall Delete = new(ModelVerb.Delete);
    private static readonly ModelCall CountOne = new(ModelVerb.Increment, Delta: 1);

    public static TheoryData<string> Possible => [.. PossibleHistories.Keys];

    public static TheoryData<string> Impossible => [.. ImpossibleHistories.Keys];

    private static Dictionary<string, Linearizability.Operation[]> PossibleHistories { get; } = new(StringComparer.Ordinal)
    {
        ["nothing"] = [],
        ["a read beside a set sees the old value"] =
            [At(0, 1, Set("a"), Done), At(2, 9, Set("b"), Done), At(3, 4, Get, Seen("a")), At(5, 6, Get, Seen("b"))],
        ["two sets at once, in the other order"] = [At(0, 9, Set("a"), Done), At(1, 8, Set("b"), Done), At(10, 11, Get, Seen("a"))],
        ["an unknown set takes effect late"] =
            [At(0, 1, Set("a"), Done), Lost(2, Set("b")), At(3, 4, Get, Seen("a")), At(5, 6, Get, Seen("b"))],
        ["an unknown set never takes effect"] = [At(0, 1, Set("a"), Done), Lost(2, Set("b")), At(3, 4, Get, Seen("a"))],
        ["an unknown increment counts"] = [At(0, 1, Set("5"), Done), Lost(2, CountOne), At(3, 4, CountOne, Counted(7))],
        ["an unknown increment does not count"] = [At(0, 1, Set("5"), Done), Lost(2, CountOne), At(3, 4, CountOne, Counted(6))],
        ["a change that was not sent"] =
            [At(0, 1, Set("a"), Done), At(2, 3, Set("b"), new(MemcachedOutcome.Unavailable)), At(4, 5, Get, Seen("a"))],
        ["an item that is hidden in an outage"] = [At(0, 1, Set("a"), Done), At(2, 3, Get, Nothing), At(4, 5, Get, Seen("a"))],
        ["a CAS from the state that is there"] =
            [At(0, 1, Set("a"), Done), At(2, 3, GetItem, Seen("a", 7)), At(4, 5, Compare("b", 7), Done), At(6, 7, Get, Seen("b"))],
        ["an unknown CAS from the state that was there"] =
            [At(0, 1, Set("a"), Done with { Cas = 7 }), Lost(2, Compare("b", 7)), At(4, 5, Get, Seen("b"))],
    };

    private static Dictionary<string, Linearizability.Operation[]> ImpossibleHistories { get; } = new(StringComparer.Ordinal)
    {
        ["a value that nobody wrote"] = [At(0, 1, Set("a"), Done), At(2, 3, Get, Seen("b"))],
        ["a stale read"] = [At(0, 1, Set("a"), Done), At(2, 3, Set("b"), Done), At(4, 5, Get, Seen("a"))],
        ["a value that comes back"] =
            [At(0, 1, Set("a"), Done), At(2, 9, Set("b"), Done), At(3, 4, Get, Seen("b")), At(5, 6, Get, Seen("a"))],
        ["a deleted value"] = [At(0, 1, Set("a"), Done), At(2, 3, Delete, Done), At(4, 5, Get, Seen("a"))],
        ["a value whose deletion found nothing"] = [At(0, 1, Set("a"), Done), At(2, 3, Delete, Nothing), At(4, 5, Get, Seen("a"))],
        ["a change that was not sent and is read"] = [At(0, 1, Set("a"), new(MemcachedOutcome.Unavailable)), At(2, 3, Get, Seen("a"))],
        ["a lost update"] =
            [At(0, 1, Set("5"), Done), At(2, 5, CountOne, Counted(6)), At(3, 6, CountOne, Counted(6))],
        ["an increment that counts twice"] = [At(0, 1, Set("5"), Done), At(2, 3, CountOne, Counted(7))],
        ["an unknown increment that counts twice"] = [At(0, 1, Set("5"), Done), Lost(2, CountOne), At(3, 4, Get, Seen("7"))],
        ["an unknown set before it began"] = [At(0, 1, Get, Seen("a")), Lost(2, Set("a"))],
        ["a set that may be there twice comes back after its end"] =
            [At(0, 3, Set("a"), Done), At(0, 3, Set("a"), new(MemcachedOutcome.Unknown)),
             At(4, 5, Set("b"), Done), At(6, 7, Get, Seen("a"))],
        ["a CAS from an old state"] =
            [At(0, 1, Set("a"), Done), At(2, 3, GetItem, Seen("a", 7)), At(4, 5, Set("b"), Done), At(6, 7, Compare("c", 7), Done)],
        ["two CAS from one state"] =
            [At(0, 1, Set("a"), Done), At(2, 3, GetItem, Seen("a", 7)), At(4, 7, Compare("b", 7), Done), At(5, 8, Compare("c", 7), Done)],
        ["a CAS after an increment"] =
            [At(0, 1, Set("5"), Done with { Cas = 7 }), At(2, 3, CountOne, Counted(6)), At(4, 5, Compare("9", 7), Done)],
        ["bytes that were put behind twice"] =
            [At(0, 1, Set("a"), Done), At(2, 3, new(ModelVerb.Append, "b"), Done), At(4, 5, Get, Seen("abb"))],
    };

    private static ModelAnswer Done => new(MemcachedOutcome.Success);

    private static ModelAnswer Nothing => new(MemcachedOutcome.NotFound);

    [Theory]
    [MemberData(nameof(Possible))]
    public void A_history_that_can_be_is_taken(string name) => Assert.True(Linearizability.Check(PossibleHistories[name], mayVanish: true));

    [Theory]
    [MemberData(nameof(Impossible))]
    public void A_history_that_cannot_be_is_found(string name)
    {
        Assert.False(Linearizability.Check(ImpossibleHistories[name], mayVanish: true));
    }

    [Fact]
    public void Where_nothing_vanishes_a_read_must_find_what_is_there()
        => Assert.False(Linearizability.Check(PossibleHistories["an item that is hidden in an outage"], mayVanish: false));

    private static Linearizability.Operation At(long begin, long end, ModelCall call, ModelAnswer answer) => new(begin, end, call, answer);

    private static Linearizability.Operation Lost(long begin, ModelCall call)
        => new(begin, long.MaxValue, call, new(MemcachedOutcome.Unknown));

    private static ModelCall Set(string value) => new(ModelVerb.Set, value);

    private static ModelCall Compare(string value, ulong cas)
        => new(ModelVerb.CompareAndSet, value, new MemcachedCas(new CasToken(cas, Origin)));

    private static ModelAnswer Seen(string value, ulong cas = 0) => new(MemcachedOutcome.Success, value, Cas: cas);

    private static ModelAnswer Counted(ulong number) => new(MemcachedOutcome.Success, Number: number);
}
