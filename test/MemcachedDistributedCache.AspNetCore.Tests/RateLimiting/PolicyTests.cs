using System.Net;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.AspNetCore.Tests.RateLimiting;

/// <summary>Policies of ASP.NET Core's rate limiting, in two instances of an application.</summary>
public sealed class PolicyTests(OwnNodes nodes) : IClassFixture<OwnNodes>
{
    [MemcachedFact]
    public async Task Instances_share_the_limit_of_each_partition_and_answer_429_with_Retry_After()
    {
        string space = PageApp.NewNamespace();
        var time = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        await using WebApplication one = await StartAsync(space, time);
        await using WebApplication other = await StartAsync(space, time);
        using HttpClient first = one.GetTestClient();
        using HttpClient second = other.GetTestClient();
        foreach (string path in (string[])["/fixed", "/sliding"])
        {
            foreach (string user in (string[])["ann", "%0d%0aflush_all"])
            {
                Assert.Equal((HttpStatusCode.OK, null), await GetAsync(first, $"{path}?user={user}"));
                Assert.Equal((HttpStatusCode.OK, null), await GetAsync(second, $"{path}?user={user}"));
                (HttpStatusCode status, int? retryAfter) = await GetAsync(first, $"{path}?user={user}");
                Assert.Equal(HttpStatusCode.TooManyRequests, status);
                Assert.InRange(retryAfter!.Value, 1, 60);
                Assert.Equal(HttpStatusCode.TooManyRequests, (await GetAsync(second, $"{path}?user={user}")).Status);
            }
        }

        Assert.Equal((HttpStatusCode.OK, null), await GetAsync(first, "/all"));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await GetAsync(second, "/all")).Status);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal((HttpStatusCode.OK, null), await GetAsync(second, "/fixed?user=ann"));
        Assert.Equal((HttpStatusCode.OK, null), await GetAsync(first, "/sliding?user=ann"));
    }

    [Fact]
    public async Task A_handler_that_was_there_before_runs_too()
    {
        var options = new RateLimiterOptions();
        int ran = 0;
        options.OnRejected = (_, _) =>
        {
            ran++;
            return default;
        };
        Assert.Same(options, options.RejectWithRetryAfter());
        using MemcachedRateLimiter limiter = Limiters.On(
            new FakeCounters { Failure = "down" },
            Limiters.Fixed(1, configure: static one => one.OnOutage = MemcachedRateLimiterOutage.Refuse),
            new ManualTimeProvider());
        var context = new DefaultHttpContext();
        await options.OnRejected(new OnRejectedContext { HttpContext = context, Lease = await limiter.AcquireAsync() }, default);
        Assert.Equal((1, "1", 429), (ran, context.Response.Headers.RetryAfter.ToString(), options.RejectionStatusCode));
    }

    [Theory]
    [InlineData(null, "AddMemcachedClient(...)")]
    [InlineData("limits", "AddKeyedMemcachedClient(\"limits\", ...)")]
    public async Task A_missing_client_is_named_with_its_remedy(string? serviceKey, string remedy)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.AddRateLimiter(options => options.AddMemcachedFixedWindow("all", limiter =>
        {
            limiter.PermitLimit = 1;
            limiter.Window = TimeSpan.FromMinutes(1);
            limiter.ServiceKey = serviceKey;
        }));
        await using WebApplication app = builder.Build();
        app.UseRateLimiter();
        app.MapGet("/", static () => "page").RequireRateLimiting("all");
        await app.StartAsync();
        using HttpClient client = app.GetTestClient();
        InvalidOperationException thrown = await Assert.ThrowsAsync<InvalidOperationException>(() => client.GetAsync(new Uri("/", UriKind.Relative)));
        Assert.Contains(remedy, thrown.Message, StringComparison.Ordinal);
    }

    private async Task<WebApplication> StartAsync(string space, TimeProvider time)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(time);
        builder.Services.AddMemcachedClient(options =>
        {
            options.Servers = [.. nodes.Servers.Select(static server => server.Server)];
            options.Namespace = space;
            options.OperationTimeout = TimeSpan.FromSeconds(10);
        });
        builder.Services.AddRateLimiter(options => options
            .AddMemcachedFixedWindow("all", limiter =>
            {
                limiter.PermitLimit = 1;
                limiter.Window = TimeSpan.FromMinutes(1);
            })
            .AddMemcachedFixedWindow("fixed", static context => context.Request.Query["user"], limiter =>
            {
                limiter.PermitLimit = 2;
                limiter.Window = TimeSpan.FromMinutes(1);
            })
            .AddMemcachedSlidingWindow("sliding", static context => context.Request.Query["user"], limiter =>
            {
                limiter.PermitLimit = 2;
                limiter.Window = TimeSpan.FromMinutes(1);
            })
            .RejectWithRetryAfter());
        WebApplication app = builder.Build();
        app.UseRateLimiter();
        foreach (string policy in (string[])["all", "fixed", "sliding"])
        {
            app.MapGet("/" + policy, static () => "page").RequireRateLimiting(policy);
        }

        await app.StartAsync();
        return app;
    }

    private static async Task<(HttpStatusCode Status, int? RetryAfter)> GetAsync(HttpClient client, string path)
    {
        using HttpResponseMessage response = await client.GetAsync(new Uri(path, UriKind.Relative));
        return (response.StatusCode, (int?)response.Headers.RetryAfter?.Delta?.TotalSeconds);
    }
}
