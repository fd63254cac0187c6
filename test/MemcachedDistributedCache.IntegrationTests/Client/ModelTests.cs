using System.Globalization;
using MemcachedDistributedCache.Testing;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>
/// 20 000 random operations of 16 callers on three servers whose clock is moved, each caller on keys of its own, each answer checked
/// against <see cref="ItemModel"/>. A failure names its seed, its step and the last things done to the key.
/// </summary>
public sealed class ModelTests(ITestOutputHelper output)
{
    private const int Callers = 16;
    private const int KeysEach = 6;
    private const int Rounds = 25;
    private const int StepsEach = 50;

    [ServerClockFact]
    public async Task Every_answer_is_that_of_the_model()
    {
        int seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        await using var clock = new ServerClock(new DateTimeOffset(2030, 6, 15, 8, 30, 0, 250, TimeSpan.Zero));
        MemcachedProcess[] servers = await Task.WhenAll(clock.StartAsync(), clock.StartAsync(), clock.StartAsync());
        await using MemcachedClient client = Clients.On(servers.Select(static server => server.Server));
        await Eventually.True(() => client.GetNodes().All(static node => node.State == MemcachedNodeState.Up), "all nodes are up");
        var random = new Random(seed);
        KeyOwner[] callers = [.. Enumerable.Range(0, Callers).Select(i => new KeyOwner(client, seed, i))];
        long now = 0;
        for (int round = 0; round < Rounds; round++)
        {
            await Task.WhenAll(callers.Select(caller => Task.Run(() => caller.RunAsync(StepsEach, now))));

            // Items go five seconds before or after a moment at which anybody looks: servers are exact to a second or two.
            int by = 10 * random.Next(8);
            await clock.AdvanceAsync(TimeSpan.FromSeconds(by));
            now += by;
        }
    }

    private sealed class KeyOwner(MemcachedClient client, int seed, int number)
    {
        private readonly ModelCaller _caller = new(Seeds.Of(seed, number), ((char)('a' + number)).ToString());
        private readonly ItemModel[] _items = new ItemModel[KeysEach];
        private readonly (MemcachedCas Cas, bool Blocking)[] _known = new (MemcachedCas, bool)[KeysEach];
        private readonly List<(int Key, string What)> _done = [];

        public async Task RunAsync(int steps, long now)
        {
            for (int step = 0; step < steps; step++)
            {
                int key = _caller.Below(KeysEach);
                ModelCall call = _caller.Next(key % 2 == 0, _known[key].Cas);
                string name = string.Create(CultureInfo.InvariantCulture, $"{number}:{key}");

                // A state is good for the connection that has told it, and callers who block have one of their own.
                bool isConditional = call.Verb is ModelVerb.CompareAndSet or ModelVerb.CompareAndDelete;
                bool blocking = isConditional ? _known[key].Blocking : _caller.Below(4) == 0;
                ModelAnswer answer = await call.AskAsync(client, name, blocking);
                _done.Add((key, $"{now} {call} -> {answer.Outcome} '{answer.Value}' {answer.Number} {answer.Cas}"));
                ItemModel? after = _items[key].After(call, answer, now);
                if (after is null)
                {
                    string last = string.Join('\n', _done.Where(d => d.Key == key).TakeLast(10).Select(static d => d.What));
                    Assert.Fail($"seed {seed}, caller {number}, step {_done.Count}: not so by the model, {_items[key]}:\n{last}");
                }

                _items[key] = after.Value;
                _known[key] = answer.Token.IsKnown && _caller.Below(3) != 0 ? (answer.Token, blocking) : _known[key];
            }
        }
    }
}
