using System.Text.RegularExpressions;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Embedded.Tests.Conformance;

/// <summary>What nobody thought of: random commands to both servers, each reply compared.</summary>
public sealed class DifferentialTests(ServerPair servers, ITestOutputHelper output) : IClassFixture<ServerPair>
{
    private const int Commands = 6000;

    [MemcachedTheory]
    [InlineData(null)]
    [InlineData(1)]
    [InlineData(20260101)]
    public async Task Random_commands_get_the_same_answers(int? fixedSeed)
    {
        int seed = fixedSeed ?? Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var generator = new CommandGenerator(new Random(seed));
        using WireClient embedded = await WireClient.ConnectAsync(servers.Embedded);
        using WireClient real = await WireClient.ConnectAsync(servers.Real);
        long embeddedBase = await ServerPair.ResetAsync(embedded);
        long realBase = await ServerPair.ResetAsync(real);
        long last = 1;
        var history = new Queue<string>();
        for (int i = 0; i < Commands; i++)
        {
            // The same command for both, except that each is told CAS numbers of its own.
            string command = generator.Next(last);
            string expected = Script.Show(await real.AskAsync(Renumber(command, realBase)), realBase);
            string actual = Script.Show(await embedded.AskAsync(Renumber(command, embeddedBase)), embeddedBase);
            history.Enqueue($"{command.TrimEnd()}  ->  {expected}");
            if (history.Count > 30)
            {
                history.Dequeue();
            }

            Assert.True(expected == actual, $"seed {seed}, command {i}\nreal     {expected}\nembedded {actual}\nafter\n{string.Join('\n', history)}");
            last = Math.Max(last, LastCas(expected));
        }
    }

    private static string Renumber(string command, long casBase)
        => Regex.Replace(
            command,
            @"(?<before>^cas \S+ \S+ \S+ \S+ | C)(?<cas>[1-9]\d*)",
            m => m.Groups["before"].Value + (casBase + long.Parse(m.Groups["cas"].Value)),
            RegexOptions.CultureInvariant,
            TimeSpan.FromSeconds(1));

    private static long LastCas(string shown)
        => Regex
            .Matches(shown, @"(?<= c\+| \d+ \+)\d+", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1))
            .Select(m => long.Parse(m.Value))
            .Append(0)
            .Max();
}
