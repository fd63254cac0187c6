using System.Collections.Concurrent;
using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Playwright;

namespace MemcachedDistributedCache.WebTests;

/// <summary>The front page as a person sees it, in the machine's own Chromium.</summary>
public sealed class FrontPageTests
{
    private const int Patience = 30_000;

    [ChromiumFact]
    public async Task A_node_that_is_killed_is_seen_to_go_down_within_three_seconds_and_to_come_back()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp();
        Uri address = app.Listen();
        using IPlaywright playwright = await Playwright.CreateAsync();
        await using IBrowser browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = ChromiumFactAttribute.Path,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        });
        IPage page = await browser.NewPageAsync(new BrowserNewPageOptions { ViewportSize = new ViewportSize { Width = 900, Height = 1000 } });
        var errors = new ConcurrentQueue<string>();
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                errors.Enqueue(message.Text);
            }
        };
        page.PageError += (_, error) => errors.Enqueue(error);

        await page.GotoAsync(address.ToString());
        ILocator up = page.Locator(".node[data-state=Up]");
        ILocator down = page.Locator(".node[data-state=Down]");
        await UntilAsync(up, 3);
        Assert.Equal(cluster.Nodes.Select(static node => node.Server).Order(StringComparer.Ordinal), (await page.Locator(".node .server").AllTextContentsAsync()).Order(StringComparer.Ordinal));
        Assert.All(await page.Locator(".node .latency").AllTextContentsAsync(), static text => Assert.EndsWith(" ms", text, StringComparison.Ordinal));

        // With reads going on there is a hit rate, and a line in the chart.
        await page.CheckAsync("#load");
        await page.WaitForFunctionAsync("() => [...document.querySelectorAll('.node .rate')].some(rate => rate.textContent.endsWith('%')) && document.querySelector('.node polyline')", null, new() { Timeout = Patience });

        long killed = Stopwatch.GetTimestamp();
        await cluster.Nodes[1].KillAsync();
        await UntilAsync(down, 1);
        TimeSpan took = Stopwatch.GetElapsedTime(killed);
        Assert.Equal(cluster.Nodes[1].Server, await down.Locator(".server").TextContentAsync());
        Assert.Equal(2, await up.CountAsync());
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Artifact("front-page-one-node-down.png"), FullPage = true });
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(3));

        await cluster.Nodes[1].StartAgainAsync();
        await UntilAsync(up, 3);
        await page.ClickAsync("#report button");
        await page.WaitForFunctionAsync("() => document.getElementById('figures').textContent.includes('madeAt\":')", null, new() { Timeout = Patience });
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Artifact("front-page.png"), FullPage = true });
        Assert.Empty(errors);
    }

    private static Task<int> UntilAsync(ILocator locator, int count)
        => Eventually.Get(locator.CountAsync, seen => seen == count, $"the page shows {count} of {locator}");

    private static string Artifact(string name)
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "MemcachedDistributedCache.sln")))
        {
            folder = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(folder)) ?? throw new InvalidOperationException("The repository's root was not found above the test's folder.");
        }

        return Path.Combine(folder, "artifacts", name);
    }

    private sealed class ChromiumFactAttribute : FactAttribute
    {
        public ChromiumFactAttribute() => Skip = MemcachedBinary.SkipReason
            ?? (Path is null ? "No chromium on PATH: run ./test.sh, which installs it (Debian: apt-get install chromium)." : null);

        public static string? Path { get; } = MemcachedBinary.Find("chromium") ?? MemcachedBinary.Find("chromium-browser");
    }
}
