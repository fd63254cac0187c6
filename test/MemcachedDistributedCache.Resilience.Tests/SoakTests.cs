using MemcachedDistributedCache.Soak;
using MemcachedDistributedCache.Testing;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A few seconds of the soak, with another seed each time; docs/contributing.md has the command for more.</summary>
[Trait("Machine", "Quiet")]
public sealed class SoakTests(ITestOutputHelper output)
{
    [MemcachedFact]
    public async Task A_short_soak_is_clean()
    {
        var options = new SoakOptions { Duration = TimeSpan.FromSeconds(6), Seed = SoakOptions.AnySeed() };
        SoakReport report = await SoakRun.ExecuteAsync(options, static _ => { }, CancellationToken.None);
        output.WriteLine(report.Text);
        Assert.True(report.IsClean, report.Text);
        Assert.False((report with { LongestAllowed = report.Tally.Longest / 2 }).IsClean, "a call may take as long as it likes");
        Assert.True(report.Tally.Hits > 1000 && report.Faults.Values.Sum() > 3 && report.Errors > 10, report.Text);
    }
}
