using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// 16 callers change and read the same keys while servers are killed, frozen and cut off. The history of each key must have an order that
/// explains it: no value is read after its end was acknowledged, and what was counted once counts once.
/// <para>
/// What a cache may do is in <see cref="ItemModel"/>: items vanish, and that nothing was found proves nothing. An outcome that is unknown
/// may have taken effect at any time after its begin, or never.
/// </para>
/// </summary>
[Trait("Machine", "Quiet")]
public sealed class HistoryTests(ITestOutputHelper output)
{
    private const int Callers = 16;
    private const int KeysAtATime = 120;

    private static readonly int Rounds = Setting("MEMCACHED_HISTORY_ROUNDS", 2);

    [MemcachedFact]
    public async Task Every_history_of_a_key_is_linearizable_under_kill_freeze_and_cut()
    {
        int seed = Setting("MEMCACHED_HISTORY_SEED", Random.Shared.Next());
        output.WriteLine($"seed {seed}, {Rounds} rounds");
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedProcess third = await MemcachedProcess.StartAsync();
        MemcachedProcess[] servers = [first, second, third];
        await using FaultProxy firstProxy = await FaultProxy.StartAsync(first.EndPoint);
        await using FaultProxy secondProxy = await FaultProxy.StartAsync(second.EndPoint);
        await using FaultProxy thirdProxy = await FaultProxy.StartAsync(third.EndPoint);
        FaultProxy[] proxies = [firstProxy, secondProxy, thirdProxy];
        await using MemcachedClient client = Clients.On(
            proxies.Select(static proxy => proxy.Server),
            static options =>
            {
                options.OperationTimeout = TimeSpan.FromMilliseconds(200);
                options.ReconnectDelay = TimeSpan.FromMilliseconds(10);
                options.MaximumReconnectDelay = TimeSpan.FromMilliseconds(50);
            });
        await Eventually.True(() => client.GetNodes().All(static node => node.State == MemcachedNodeState.Up), "all nodes are up");

        var keys = new SharedKeys();
        using var stop = new CancellationTokenSource();
        ModelCaller[] made = [.. Enumerable.Range(0, Callers).Select(i => new ModelCaller(Seeds.Of(seed, i), $"{(char)('a' + i)}"))];
        Task[] callers = [.. made.Select(caller => Task.Run(() => CallAsync(client, keys, caller, stop.Token)))];
        var random = new Random(seed);
        for (int round = 0; round < Rounds; round++)
        {
            await OneRoundAsync(servers, proxies, random);
        }

        await Eventually.True(
            () => client.GetNodes().All(
                static node => node is { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false }),
            "all nodes are up again");
        await stop.CancelAsync();
        await Task.WhenAll(callers);
        await keys.ReadAllAsync(client);
        Judge(seed, keys.All);
    }

    private static async Task OneRoundAsync(MemcachedProcess[] servers, FaultProxy[] proxies, Random random)
    {
        var length = TimeSpan.FromMilliseconds(250);
        MemcachedProcess frozen = servers[random.Next(3)];
        frozen.Freeze();
        await Task.Delay(length);
        frozen.Thaw();
        await Task.Delay(length);

        FaultProxy cut = proxies[random.Next(3)];
        cut.DropConnections(reset: random.Next(2) == 0);
        await Task.Delay(length / 2);
        await cut.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        await Task.Delay(length);
        await cut.ApplyAsync(Fault.None);
        await Task.Delay(length / 2);

        MemcachedProcess killed = servers[random.Next(3)];
        await killed.KillAsync();
        await Task.Delay(length);
        await killed.StartAgainAsync();
        await Task.Delay(length);
    }

    private static async Task CallAsync(MemcachedClient client, SharedKeys keys, ModelCaller caller, CancellationToken stop)
    {
        var known = new Dictionary<string, (MemcachedCas Cas, bool Blocking)>(StringComparer.Ordinal);
        while (!stop.IsCancellationRequested)
        {
            // A few keys are asked for by many callers at once, and the others live through the faults.
            KeyHistory history = keys.Take(caller.Below(3) == 0 ? caller.Below(4) : caller.Below(KeysAtATime));
            (MemcachedCas Cas, bool Blocking) told = known.GetValueOrDefault(history.Key);
            ModelCall call = caller.Next(history.Numbers, told.Cas, forEver: true);
            bool isConditional = call.Verb is ModelVerb.CompareAndSet or ModelVerb.CompareAndDelete;
            bool blocking = isConditional ? told.Blocking : caller.Below(8) == 0;
            ModelAnswer answer = await history.AskAsync(client, call, blocking);
            if (answer.Token.IsKnown)
            {
                known[history.Key] = (answer.Token, blocking);
            }

            if (caller.Below(4) == 0)
            {
                await Task.Delay(1, CancellationToken.None);
            }
        }
    }

    private void Judge(int seed, IReadOnlyCollection<KeyHistory> histories)
    {
        long started = Stopwatch.GetTimestamp();
        (KeyHistory History, bool? IsGood)[] judged =
            [.. histories.AsParallel().Select(static history => (history, Linearizability.Check(history.Operations, mayVanish: true)))];
        foreach (var outcome in histories.SelectMany(static history => history.Operations).GroupBy(static o => o.Answer.Outcome))
        {
            output.WriteLine($"{outcome.Key}: {outcome.Count()}");
        }

        int undecided = judged.Count(static j => j.IsGood is null);
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        output.WriteLine($"{histories.Count} histories, {undecided} undecided, {took.TotalSeconds:0.0} s to judge");
        KeyHistory[] bad = [.. judged.Where(static j => j.IsGood == false).Select(static j => j.History)];
        string first = string.Join("\n\n", bad.Take(3));
        Assert.True(bad.Length == 0, $"seed {seed}: {bad.Length} of {histories.Count} histories have no order:\n{first}");
        Assert.InRange(undecided, 0, histories.Count / 50);
    }

    private static int Setting(string name, int fallback)
        => int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : fallback;

    /// <summary>The keys that callers share; one that has had enough operations is followed by another.</summary>
    private sealed class SharedKeys
    {
        private readonly ConcurrentQueue<KeyHistory> _all = new();
        private readonly KeyHistory?[] _current = new KeyHistory?[KeysAtATime];
        private readonly Lock _lock = new();

        public IReadOnlyCollection<KeyHistory> All => _all;

        public KeyHistory Take(int place)
        {
            lock (_lock)
            {
                KeyHistory? history = _current[place];
                if (history is null || !history.TryBegin())
                {
                    string key = string.Create(CultureInfo.InvariantCulture, $"{place}:{_all.Count}");
                    history = _current[place] = new KeyHistory(key, numbers: place % 2 == 0);
                    history.TryBegin();
                    _all.Enqueue(history);
                }

                return history;
            }
        }

        /// <summary>What is there in the end tells which of the unknown changes took place.</summary>
        public async Task ReadAllAsync(MemcachedClient client)
            => await Task.WhenAll(_current.OfType<KeyHistory>().Select(
                history => history.AskAsync(client, new ModelCall(ModelVerb.GetItem), blocking: false)));
    }
}
