using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net;
using System.Text;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.Tests.OutputCaching;

/// <summary>ASP.NET's middleware on the store, in two instances.</summary>
public sealed class MiddlewareTests(OwnNodes nodes) : IClassFixture<OwnNodes>
{
    [MemcachedFact]
    public async Task A_page_of_one_instance_is_a_hit_on_the_other()
    {
        await using var pair = await PairAsync((app, calls) =>
        {
            app.MapGet("/method", () => calls.Next()).CacheOutput();
            app.MapGet("/attribute", [OutputCache(Duration = 60, Tags = ["t"])] () => calls.Next());
            app.MapGet("/named", () => calls.Next()).CacheOutput("named");
            app.MapGet("/tagged", () => calls.Next()).CacheOutput(static policy => policy.Tag("a", "b"));
            app.MapGet("/off", () => calls.Next());
        });
        foreach (string path in (string[])["/method", "/attribute", "/named", "/tagged"])
        {
            string made = await pair.One.GetAsync(path);
            Assert.Equal(made, await pair.Other.GetAsync(path));
            Assert.Equal(made, await pair.One.GetAsync(path));
        }

        Assert.NotEqual(await pair.One.GetAsync("/off"), await pair.One.GetAsync("/off"));
    }

    [MemcachedFact]
    public async Task Pages_vary_by_what_the_policy_says_and_by_nothing_else()
    {
        await using var pair = await PairAsync(
            (app, calls) =>
            {
                app.MapGet("/query", () => calls.Next()).CacheOutput(static policy => policy.SetVaryByQuery("a"));
                app.MapGet("/header", () => calls.Next()).CacheOutput(static policy => policy.SetVaryByHeader("X-User"));
                app.MapGet("/value", () => calls.Next())
                    .CacheOutput(static policy =>
                        policy.VaryByValue(static context => new("user", context.Request.Headers["X-User"].ToString())));
                app.MapGet("/route/{id}/{other}", () => calls.Next()).CacheOutput(static policy => policy.SetVaryByRouteValue("id"));
                app.MapGet("/prefix", () => calls.Next())
                    .CacheOutput(static policy => policy.SetCacheKeyPrefix(static context => context.Request.Headers["X-User"].ToString()));
            });

        string first = await pair.One.GetAsync("/query?a=1&b=1");
        Assert.Equal(first, await pair.Other.GetAsync("/query?a=1&b=2"));
        Assert.Equal(first, await pair.Other.GetAsync("/query?A=1"));
        Assert.NotEqual(first, await pair.Other.GetAsync("/query?a=2"));
        Assert.NotEqual(first, await pair.Other.GetAsync("/query?a=1&a=2"));
        Assert.NotEqual(first, await pair.Other.GetAsync("/query"));

        foreach (string path in (string[])["/header", "/value", "/prefix"])
        {
            string ann = await SendAsync(pair.One, path, "ann");
            string bob = await SendAsync(pair.One, path, "bob");
            Assert.NotEqual(ann, bob);
            Assert.Equal((ann, bob), (await SendAsync(pair.Other, path, "ann"), await SendAsync(pair.Other, path, "bob")));
        }

        string host = await pair.One.GetAsync("/query?a=1");
        Assert.NotEqual(host, await pair.One.Client.GetStringAsync(new Uri("http://elsewhere/query?a=1")));
        Assert.NotEqual(await pair.One.GetAsync("/route/1/x"), await pair.One.GetAsync("/route/2/x"));
        Assert.Equal(await pair.One.GetAsync("/route/1/x"), await pair.Other.GetAsync("/ROUTE/1/X"));
    }

    [MemcachedFact]
    public async Task An_eviction_by_tag_is_seen_by_both()
    {
        await using var pair = await PairAsync((app, calls) =>
        {
            app.MapGet("/a", () => calls.Next()).CacheOutput(static policy => policy.Tag("a", "all"));
            app.MapGet("/b", () => calls.Next()).CacheOutput(static policy => policy.Tag("b", "all"));
            app.MapPost("/evict/{tag}", static async (string tag, IOutputCacheStore store, CancellationToken token) => await store.EvictByTagAsync(tag, token));
        });
        for (int round = 0; round < 5; round++)
        {
            (string a, string b) = (await pair.One.GetAsync("/a"), await pair.One.GetAsync("/b"));
            Assert.Equal((a, b), (await pair.Other.GetAsync("/a"), await pair.Other.GetAsync("/b")));
            PageApp evictor = round % 2 == 0 ? pair.One : pair.Other;
            using HttpResponseMessage evicted = await evictor.Client.PostAsync(new Uri("/evict/a", UriKind.Relative), null);
            Assert.Equal(HttpStatusCode.OK, evicted.StatusCode);

            string newer = await pair.Other.GetAsync("/a");
            Assert.NotEqual(a, newer);
            Assert.Equal(newer, await pair.One.GetAsync("/a"));
            Assert.Equal((b, b), (await pair.One.GetAsync("/b"), await pair.Other.GetAsync("/b")));
            await pair.One.EvictAsync("all");
        }

        // Once made again a page is stored at once, on whichever instance and however soon after the eviction.
        Assert.Equal((0, 0), (pair.One.Statistics.Outdated, pair.Other.Statistics.Outdated));
    }

    [MemcachedTheory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Of_500_requests_for_a_cold_page_one_in_each_instance_makes_it(int tags)
    {
        const int Requests = 500;
        PagePair? both = null;
        await using var pair = both = await PairAsync((app, calls) => app.MapGet("/slow", async () =>
        {
            string page = calls.Next();
            await Eventually.True(() => Looked(both!.One) + Looked(both.Other) >= Requests, "all requests have come, and have looked for the page in vain");

            // They are a step before the line for this page, which the middleware tells nobody of.
            await Task.Delay(500);
            return page;
        }).CacheOutput(policy => policy.Tag([.. Enumerable.Range(0, tags).Select(static n => "t" + n)])));

        string[] pages = await Task.WhenAll(Enumerable.Range(0, Requests).Select(n => Task.Run(() => (n % 2 == 0 ? pair.One : pair.Other).GetAsync("/slow"))));
        Assert.InRange(pair.Calls.Count, 1, 2);
        Assert.Equal(pair.Calls.Count, pages.Distinct().Count());

        // Which of the two was stored last is found by both.
        string found = await pair.One.GetAsync("/slow");
        Assert.Equal(found, await pair.Other.GetAsync("/slow"));
        Assert.InRange(pair.Calls.Count, 1, 2);

        static int Looked(PageApp app)
            => app.Log.Entries.Count(static entry => entry.Message.StartsWith("No cached response available", StringComparison.Ordinal));
    }

    [MemcachedFact]
    public async Task Bodies_of_all_kinds_come_back_byte_for_byte()
    {
        byte[] binary = new byte[900 * 1024];
        new Random(5).NextBytes(binary);
        await using var pair = await PairAsync((app, calls) =>
        {
            app.MapGet("/binary", () => { calls.Next(); return Results.Bytes(binary, "application/octet-stream"); }).CacheOutput();
            app.MapGet("/streamed", async (HttpResponse response) =>
            {
                calls.Next();
                response.ContentType = "text/plain; charset=utf-8";
                for (int i = 0; i < 100; i++)
                {
                    await response.WriteAsync($"line {i} \u00e9\n");
                    await response.Body.FlushAsync();
                }
            }).CacheOutput();
            app.MapGet("/empty", () => { calls.Next(); return Results.Ok(); }).CacheOutput();
        });
        foreach (string path in (string[])["/binary", "/streamed", "/empty"])
        {
            int before = pair.Calls.Count;
            (HttpResponseHeaders headers, HttpContentHeaders content, byte[] body) = await FetchAsync(pair.One, path);
            Assert.Null(headers.Age);
            (HttpResponseHeaders cachedHeaders, HttpContentHeaders cachedContent, byte[] cached) = await FetchAsync(pair.Other, path);
            Assert.NotNull(cachedHeaders.Age);
            Assert.Equal(body, cached);
            Assert.Equal(content.ContentType, cachedContent.ContentType);
            Assert.Equal(headers.Date, cachedHeaders.Date);
            Assert.Equal(before + 1, pair.Calls.Count);
            Assert.Equal(path == "/binary" ? binary : body, body);
        }
    }

    [MemcachedFact]
    public async Task A_HEAD_request_has_a_page_of_its_own_and_no_body()
    {
        await using var pair = await PairAsync((app, calls) => app.MapMethods("/page", ["GET", "HEAD"], (HttpResponse response) =>
        {
            response.Headers["X-Made"] = calls.Next();
            response.ContentLength = 5;
            return HttpMethods.IsHead(response.HttpContext.Request.Method) ? Results.Empty : Results.Bytes("hello"u8.ToArray());
        }).CacheOutput());
        string[] heads = [await HeadAsync(pair.One), await HeadAsync(pair.Other)];
        Assert.Equal(heads[0], heads[1]);
        Assert.Equal("hello", await pair.One.GetAsync("/page"));
        Assert.Equal(2, pair.Calls.Count);
        Assert.Equal(heads[0], await HeadAsync(pair.Other));

        static async Task<string> HeadAsync(PageApp app)
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, "/page");
            using HttpResponseMessage response = await app.Client.SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Empty(await response.Content.ReadAsByteArrayAsync());
            return response.Headers.GetValues("X-Made").Single();
        }
    }

    [MemcachedFact]
    public async Task A_conditional_request_is_answered_304_from_the_cache()
    {
        await using var pair = await PairAsync((app, calls) => app.MapGet("/page", (HttpResponse response) =>
        {
            response.Headers.ETag = "\"v1\"";
            return calls.Next();
        }).CacheOutput());
        string page = await pair.One.GetAsync("/page");
        foreach (
            (string tag, HttpStatusCode status) in ((string, HttpStatusCode)[])
                [("\"v1\"", HttpStatusCode.NotModified), ("*", HttpStatusCode.NotModified), ("\"v2\"", HttpStatusCode.OK)])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/page");
            request.Headers.TryAddWithoutValidation("If-None-Match", tag);
            using HttpResponseMessage response = await pair.Other.Client.SendAsync(request);
            Assert.Equal(status, response.StatusCode);
            Assert.Equal(status == HttpStatusCode.OK ? page : "", await response.Content.ReadAsStringAsync());
            Assert.Equal("\"v1\"", response.Headers.ETag?.Tag);
        }

        Assert.Equal(1, pair.Calls.Count);
    }

    [MemcachedFact]
    public async Task What_ASPNET_does_not_cache_is_not_cached()
    {
        await using var pair = await PairAsync((app, calls) =>
        {
            app.MapGet("/cookie", (HttpResponse response) =>
            {
                response.Cookies.Append("user", "secret");
                return calls.Next();
            }).CacheOutput();
            app.MapGet("/error", () => { calls.Next(); return Results.StatusCode(500); }).CacheOutput();
            app.MapGet("/plain", () => calls.Next()).CacheOutput();
            app.MapPost("/plain", () => calls.Next()).CacheOutput();
            app.MapGet("/off", () => calls.Next()).CacheOutput(static policy => policy.NoCache());
        });
        foreach (string path in (string[])["/cookie", "/error", "/off"])
        {
            int before = pair.Calls.Count;
            using HttpResponseMessage one = await pair.One.Client.GetAsync(new Uri(path, UriKind.Relative));
            using HttpResponseMessage two = await pair.One.Client.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(before + 2, pair.Calls.Count);
        }

        // A user who is signed in by a header sees no page of another, and leaves none.
        string anonymous = await pair.One.GetAsync("/plain");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/plain") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", "ann") } };
        using HttpResponseMessage signedIn = await pair.One.Client.SendAsync(request);
        Assert.NotEqual(anonymous, await signedIn.Content.ReadAsStringAsync());
        Assert.Equal(anonymous, await pair.Other.GetAsync("/plain"));
        using HttpResponseMessage posted = await pair.One.Client.PostAsync(new Uri("/plain", UriKind.Relative), null);
        Assert.NotEqual(anonymous, await posted.Content.ReadAsStringAsync());
    }

    [MemcachedFact]
    public async Task A_page_ends_when_its_policy_says()
    {
        await using var pair = await PairAsync(
            (app, calls) =>
                app.MapGet("/page", () => calls.Next()).CacheOutput(static policy => policy.Expire(TimeSpan.FromMilliseconds(700)).Tag("a")));
        string page = await pair.One.GetAsync("/page");
        long stored = Stopwatch.GetTimestamp();
        await Eventually.True(async () => await pair.Other.GetAsync("/page") != page, "the page ends");
        Assert.InRange(Stopwatch.GetElapsedTime(stored).TotalMilliseconds, 500, 5000);
    }

    [MemcachedFact]
    public async Task A_response_above_the_limit_is_sent_whole_counted_and_logged_once_a_route()
    {
        byte[] large = new byte[3 * 1024 * 1024];
        new Random(7).NextBytes(large);
        await using var pair = await PairAsync(
            (app, calls) =>
            {
                app.MapGet(
                        "/large/{id}",
                        () =>
                        {
                            calls.Next();
                            return Results.Bytes(large);
                        })
                    .CacheOutput();
                app.MapGet(
                        "/other",
                        () =>
                        {
                            calls.Next();
                            return Results.Bytes(large);
                        })
                    .CacheOutput();
                app.MapGet(
                        "/grows",
                        (HttpRequest request) =>
                        {
                            calls.Next();
                            return Results.Bytes(request.Headers.ContainsKey("X-User") ? large : large[..1000]);
                        })
                    .CacheOutput(static policy => policy.Expire(TimeSpan.FromMinutes(5)));
            });
        foreach (string path in (string[])["/large/1", "/large/1", "/large/2?x=1", "/other"])
        {
            Assert.Equal(large, (await FetchAsync(pair.One, path)).Body);
        }

        Assert.Equal(4, pair.Calls.Count);
        Assert.Equal(4, pair.One.Statistics.TooLarge);
        IReadOnlyList<string> logged = pair.One.Log.Of(4000);
        Assert.Equal(2, logged.Count);
        Assert.Contains("/large/{id}", logged[0], StringComparison.Ordinal);
        Assert.Contains("/other", logged[1], StringComparison.Ordinal);
        Assert.DoesNotContain(pair.One.Log.Entries, static entry => entry.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
    }

    [MemcachedFact]
    public async Task A_client_that_hangs_up_harms_nobody()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var pair = await PairAsync((app, calls) => app.MapGet("/page", async () =>
        {
            string page = calls.Next();
            await gate.Task;
            return page;
        }).CacheOutput(static policy => policy.Tag("a")));
        using var hangUp = new CancellationTokenSource();
        Task<string> gone = pair.One.Client.GetStringAsync(new Uri("/page", UriKind.Relative), hangUp.Token);
        await Eventually.True(() => pair.Calls.Count == 1, "the page is being made");
        Task<string>[] others = [.. Enumerable.Range(0, 10).Select(_ => pair.One.GetAsync("/page"))];
        await hangUp.CancelAsync();
        gate.SetResult();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone).WaitAsync(Eventually.Limit);
        string[] pages = await Task.WhenAll(others).WaitAsync(Eventually.Limit);
        Assert.All(pages, static page => Assert.StartsWith("made ", page, StringComparison.Ordinal));

        // Made for one who was gone before it was stored, it may not have been; the next one is.
        Assert.Equal(await pair.Other.GetAsync("/page"), await pair.One.GetAsync("/page"));
    }

    private static async Task<string> SendAsync(PageApp app, string path, string user)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "X-User", user } } };
        using HttpResponseMessage response = await app.Client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private static async Task<(HttpResponseHeaders Headers, HttpContentHeaders Content, byte[] Body)> FetchAsync(PageApp app, string path)
    {
        HttpResponseMessage response = await app.Client.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (response.Headers, response.Content.Headers, await response.Content.ReadAsByteArrayAsync());
    }

    private Task<PagePair> PairAsync(Action<WebApplication, CallCount> map) => PagePair.StartAsync(
        nodes.ConnectionString,
        map,
        static services => services.AddOutputCache(static options => options.AddPolicy("named", static policy => policy.Expire(TimeSpan.FromMinutes(1)))));
}
