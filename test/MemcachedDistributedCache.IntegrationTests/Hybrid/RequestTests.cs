using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>
/// Factories and the requests that they were given by: what is disposed with a request, and the context that belongs to
/// it.
/// </summary>
public sealed class RequestTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    private static readonly HybridCacheEntryOptions Short = new() { Expiration = TimeSpan.FromMilliseconds(100) };
    private static readonly AsyncLocal<string?> Request = new();
    private readonly ThreeNodes _nodes = nodes;

    [MemcachedFact]
    public async Task A_refresh_runs_without_the_context_of_who_met_the_old_value_and_a_run_that_is_waited_for_with_it()
    {
        Instance one = Make(1, static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(5))[0];
        using var activity = new Activity("request").Start();
        Request.Value = "mine";
        static ValueTask<string> Seen(CancellationToken _) => new($"{Request.Value ?? "none"} {Activity.Current?.OperationName ?? "none"}");
        Assert.Equal("mine request", await one.Get("key", Seen, Short));
        await Eventually.True(async () => await one.Get("key", Seen) == "none none", "the entry was refreshed elsewhere");
        Assert.Equal("mine", Request.Value);
    }

    [MemcachedFact]
    public async Task A_scoped_factory_has_a_scope_of_its_own_that_ends_with_it()
    {
        await using Instance one = Instance.On(
            _nodes.Servers.Select(static server => server.Server),
            Instance.Space(),
            static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(5),
            static services => services.AddScoped<Source>());
        var used = new System.Collections.Concurrent.ConcurrentQueue<Source>();
        async ValueTask<string> Make(IServiceProvider services, CancellationToken token)
        {
            Source source = services.GetRequiredService<Source>();
            used.Enqueue(source);
            await Task.Delay(10, token);
            return source.Read(used.Count);
        }

        Assert.Equal("value 1", await one.Cache.GetOrCreateScopedAsync("key", Make, Short));
        await Eventually.True(
            async () => await one.Cache.GetOrCreateScopedAsync("key", Make, Short) == "value 2",
            "it is refreshed in the background");
        Assert.Equal(
            "value 2 state",
            await one.Cache.GetOrCreateScopedAsync(
                "other",
                "state",
                static (state, services, _) => new ValueTask<string>(services.GetRequiredService<Source>().Read(2) + " " + state)));
        await Eventually.True(() => used.All(static source => source.IsDisposed), "each scope has ended");
        Assert.Equal(used.Count, used.Distinct().Count());
        await Assert.ThrowsAsync<FormatException>(async () => await one.Cache.GetOrCreateScopedAsync<int>("failing", (services, _) =>
        {
            used.Enqueue(services.GetRequiredService<Source>());
            throw new FormatException();
        }));
        Assert.True(used.Last().IsDisposed);
    }

    [MemcachedFact]
    public async Task Without_services_there_is_no_scope_and_the_exception_says_so()
    {
        await using MemcachedCache below = Caches.On(_nodes.Servers.Select(static server => server.Server));
        await using var cache = new MemcachedHybridCache(below);
        InvalidOperationException exception = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await cache.GetOrCreateScopedAsync("key", static (_, _) => new ValueTask<int>(1)));
        Assert.Contains("AddMemcachedHybridCache", exception.Message, StringComparison.Ordinal);
    }

    [MemcachedFact]
    public async Task A_refresh_that_fails_again_and_again_is_left_to_a_caller()
    {
        Instance one = Make(1, static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(5))[0];
        await one.Get("key", static _ => new ValueTask<string>("old"), Short);
        Request.Value = "mine";

        // Works within a request only, as with services that are disposed with it.
        static ValueTask<string> Produce(CancellationToken _) => Request.Value is null ? throw new ObjectDisposedException("context") : new("new");
        await Eventually.True(async () => await one.Get("key", Produce) == "new", "a caller has made it");
        Assert.Equal((3, 3), (one.Statistics.FactoryFailures, one.Statistics.RefreshesStarted));
        Assert.Equal("new", await one.PeekCluster<string>("key"));
    }

    [MemcachedFact]
    public async Task Where_the_callers_factory_fails_as_well_the_old_value_stands_within_its_window_and_not_everybody_waits()
    {
        Instance[] pair = Make(2, static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(5));
        await pair[0].Get("key", static _ => new ValueTask<string>("old"), Short);
        int runs = 0;
        async ValueTask<string> Fail(CancellationToken token)
        {
            Interlocked.Increment(ref runs);
            await Task.Delay(100, token);
            throw new FormatException();
        }

        long started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(7))
            {
                Assert.Equal("old", await pair[i % 2].Get("key", Fail));
                await Task.Delay(10);
            }
        }))).WaitAsync(Eventually.Limit);

        // Each process tries about once a second.
        Assert.InRange(runs, 4, 18);
    }

    [MemcachedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_has_joined_a_run_that_failed_for_its_first_caller_only_runs_its_own(bool isDisposed)
    {
        Instance one = Make(1)[0];
        using var hangUp = new CancellationTokenSource();
        Task<string> first = one.Get<string>("key", async _ =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, hangUp.Token); // the request's own token, in place of the factory's
            }
            catch (OperationCanceledException exception) when (isDisposed)
            {
                throw new ObjectDisposedException("the request's services", exception);
            }

            return "never";
        }, token: hangUp.Token).AsTask();
        await Eventually.True(() => one.Statistics.FactoryRuns == 1, "the factory runs");
        Task<string>[] joined = [.. Enumerable.Range(0, 20).Select(_ => one.Get("key", static _ => new ValueTask<string>("mine")).AsTask())];
        Assert.Equal(20, one.Statistics.CallsJoined);
        await hangUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(Eventually.Limit));
        Assert.All(await Task.WhenAll(joined).WaitAsync(Eventually.Limit), static value => Assert.Equal("mine", value));
        Assert.Equal(2, one.Statistics.FactoryRuns);
    }

    [MemcachedFact]
    public async Task A_failure_of_the_factory_itself_goes_to_all_who_have_joined()
    {
        Instance one = Make(1)[0];
        var go = new TaskCompletionSource();
        Task<string> first = one.Get<string>("key", async _ => { await go.Task; throw new FormatException(); }).AsTask();
        await Eventually.True(() => one.Statistics.FactoryRuns == 1, "the factory runs");
        Task<string>[] joined = [.. Enumerable.Range(0, 20).Select(_ => one.Get("key", static _ => new ValueTask<string>("mine")).AsTask())];
        go.SetResult();
        foreach (Task<string> call in joined.Append(first))
        {
            await Assert.ThrowsAsync<FormatException>(() => call.WaitAsync(Eventually.Limit));
        }

        Assert.Equal(1, one.Statistics.FactoryRuns);
    }

    private sealed class Source : IAsyncDisposable
    {
        public bool IsDisposed { get; private set; }

        public string Read(int number)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            return "value " + number;
        }

        public ValueTask DisposeAsync()
        {
            IsDisposed = true;
            return ValueTask.CompletedTask;
        }
    }
}
