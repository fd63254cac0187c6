using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Reflection;
using System.Text;
using MemcachedDistributedCache.AspNetCore.OutputCaching;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.Tests;

#pragma warning disable CA2012 // What must not be done with a ValueTask is what is done here.

/// <summary>
/// Whoever asks a public <see cref="ValueTask"/> for its result too early, or twice, gets what a task would give, and
/// harms nobody: on every public method of all packages that returns one, and of the stores that a package puts behind
/// an interface of ASP.NET Core.
/// </summary>
public sealed class ValueTaskTests(OwnNodes nodes) : IClassFixture<OwnNodes>
{
    private static readonly HybridCacheEntryOptions Afar = new() { Flags = HybridCacheEntryFlags.DisableLocalCache };
    private static readonly DistributedCacheEntryOptions Minute = new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) };
    private static readonly Member[] Members = All();

    [Fact]
    public void Every_public_method_that_returns_a_value_task_is_held_to_it()
    {
        Assembly[] packages = [typeof(MemcachedCache).Assembly, typeof(MemcachedOutputCacheOptions).Assembly, typeof(EmbeddedMemcached).Assembly];

        // A source of servers is the application's own code, which nobody but this library calls. A limiter's methods are those of its base.
        IEnumerable<string> open = packages.SelectMany(static package => package.GetExportedTypes()).Append(typeof(MemcachedOutputCacheStore))
            .Where(static type => type != typeof(IMemcachedServerSource) && type != typeof(MemcachedRateLimiter))
            .SelectMany(static type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static))
            .Where(static method => IsValueTask(method.ReturnType))
            .Select(NameOf);
        Assert.Equal(open.Order(StringComparer.Ordinal), Members.Select(static member => member.Name).Order(StringComparer.Ordinal));

        // Whatever else implements an interface with such a method is reached through it.
        Assert.Equal(
            [nameof(MemcachedOutputCacheStore)],
            packages
                .SelectMany(static package => package.GetTypes())
                .Where(static type =>
                    !type.IsVisible
                    && type.GetInterfaces()
                        .Any(i =>
                            i.Assembly != type.Assembly
                            && i.IsPublic
                            && i != typeof(IAsyncDisposable)
                            && i.GetMethods().Any(static m => IsValueTask(m.ReturnType))))
                .Select(static type => type.Name));
    }

    [MemcachedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task None_is_pooled(bool withPipeline)
    {
        await using Rig rig = await Rig.StartAsync(nodes.ConnectionString, withPipeline);
        int incomplete = 0;
        foreach (Member member in Members)
        {
            for (int i = 0; i < 5; i++)
            {
                Pending pending = member.Call(rig, i);
                Assert.True(pending.Source is null or Task, $"{member.Name} is backed by {pending.Source}");
                incomplete += pending.Source is null ? 0 : 1;
                await Task.Run(() => pending.Take());
            }
        }

        Assert.True(incomplete > Members.Length, "most of them wait for a server");
    }

    [MemcachedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Asked_too_early_or_twice_it_gives_its_own_result_while_64_others_run(bool withPipeline)
    {
        await using Rig rig = await Rig.StartAsync(nodes.ConnectionString, withPipeline);
        foreach (Member member in Members.Where(static member => !member.Ends))
        {
            using var ended = new CancellationTokenSource();
            Task[] others = [.. Enumerable.Range(0, 64).Select(caller => Task.Run(async () =>
            {
                for (int i = caller; !ended.IsCancellationRequested; i += 64)
                {
                    Assert.Equal(member.Expected(i % 500), await member.Call(rig, i % 500).Awaited.WaitAsync(Eventually.Limit));
                }
            }))];
            Task[] misusers = [.. Enumerable.Range(0, 4).Select(caller => Task.Factory.StartNew(
                () =>
                {
                    for (int i = 0; i < 15; i++)
                    {
                        Pending pending = member.Call(rig, i);
                        Assert.Equal(member.Expected(i), pending.Take());
                        Assert.Equal(member.Expected(i), pending.Take());
                    }
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default))];
            await Task.WhenAll(misusers).WaitAsync(Eventually.Limit);
            await ended.CancelAsync();
            await Task.WhenAll(others).WaitAsync(Eventually.Limit);
        }
    }

    [MemcachedFact]
    public async Task Who_asks_too_early_waits()
    {
        await using Rig rig = await Rig.StartAsync(nodes.ConnectionString, withPipeline: false);
        var begun = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        Task<string> asking = Task.Factory.StartNew(
            () => rig.Hybrid.GetOrCreateAsync("slow", async _ =>
            {
                begun.SetResult();
                await go.Task;
                return "value";
            }).Result,
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        await begun.Task.WaitAsync(Eventually.Limit);
        Assert.False(asking.IsCompleted);
        go.SetResult();
        Assert.Equal("value", await asking.WaitAsync(Eventually.Limit));

        // An exception is given as often as it is asked for, as a task gives it.
        ValueTask<string> failing = rig.Hybrid.GetOrCreateAsync<string>("bad", static _ => throw new FormatException("mine"));
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal("mine", Assert.Throws<FormatException>(() => failing.GetAwaiter().GetResult()).Message);
        }
    }

    private static bool IsValueTask(Type type) => type == typeof(ValueTask) || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>));

    private static string NameOf(MethodInfo method)
        => $"{method.ReflectedType!.Name}.{method.Name}({string.Join(", ", method.GetParameters().Where(static p => !p.IsOptional).Select(static p => p.ParameterType.Name))})";

    private static ReadOnlySequence<byte> Bytes(string text) => new(Encoding.UTF8.GetBytes(text));

    private static Member[] All()
    {
        const string Hybrid = "MemcachedHybridCache.";
        static ValueTask<string> Make(int i, CancellationToken token) => new("value" + i);
        static ValueTask<string> Choose(int i, HybridCacheEntryContext context, CancellationToken token) => new("value" + i);
        return
        [
            Of(
                Hybrid + "GetOrCreateAsync(String, TState, Func`3)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync("key" + i, i, Make, Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(String, TState, Func`4)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync("key" + i, i, Choose, Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(String, Func`2)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync("key" + i, t => Make(i, t), Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(String, Func`3)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync("key" + i, (c, t) => Choose(i, c, t), Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(ReadOnlySpan`1, TState, Func`3)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync(("key" + i).AsSpan(), i, Make, Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(ReadOnlySpan`1, TState, Func`4)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync(("key" + i).AsSpan(), i, Choose, Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(ReadOnlySpan`1, Func`2)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync(("key" + i).AsSpan(), t => Make(i, t), Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(ReadOnlySpan`1, Func`3)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync(("key" + i).AsSpan(), (c, t) => Choose(i, c, t), Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(DefaultInterpolatedStringHandler&, TState, Func`3)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync($"key{i}", i, Make, Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(DefaultInterpolatedStringHandler&, TState, Func`4)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync($"key{i}", i, Choose, Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(DefaultInterpolatedStringHandler&, Func`2)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync($"key{i}", t => Make(i, t), Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateAsync(DefaultInterpolatedStringHandler&, Func`3)",
                static (rig, i) => rig.Hybrid.GetOrCreateAsync($"key{i}", (c, t) => Choose(i, c, t), Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateWithSourceAsync(String, TState, Func`3)",
                static (rig, i) => rig.Hybrid.GetOrCreateWithSourceAsync("key" + i, i, Make, Afar),
                static i => "value" + i,
                static result => result.Value),
            Of(
                Hybrid + "GetOrCreateWithSourceAsync(String, TState, Func`4)",
                static (rig, i) => rig.Hybrid.GetOrCreateWithSourceAsync("key" + i, i, Choose, Afar),
                static i => "value" + i,
                static result => result.Value),
            Of(
                Hybrid + "GetOrCreateScopedAsync(String, TState, Func`4)",
                static (rig, i) => rig.Hybrid.GetOrCreateScopedAsync("key" + i, i, static (i, _, t) => Make(i, t), Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateScopedAsync(String, Func`3)",
                static (rig, i) => rig.Hybrid.GetOrCreateScopedAsync("key" + i, (_, t) => Make(i, t), Afar),
                static i => "value" + i),
            Of(
                Hybrid + "GetOrCreateManyAsync(IEnumerable`1, Func`3)",
                static (rig, i)
                    => rig.Hybrid.GetOrCreateManyAsync<string>(
                        ["key" + i],
                        (_, _) => new(new Dictionary<string, string> { ["key" + i] = "value" + i }),
                        Afar),
                static i => "value" + i,
                static many => many.Values.Single()),
            Of(Hybrid + "SetAsync(String, T)", static (rig, i) => rig.Hybrid.SetAsync("set" + i, i)),
            Of(Hybrid + "RemoveAsync(String)", static (rig, i) => rig.Hybrid.RemoveAsync("set" + i)),
            Of(Hybrid + "RemoveAsync(IEnumerable`1)", static (rig, i) => rig.Hybrid.RemoveAsync(["set" + i, "other" + i])),
            Of(Hybrid + "RemoveByTagAsync(String)", static (rig, i) => rig.Hybrid.RemoveByTagAsync("tag" + i)),
            Of(Hybrid + "RemoveByTagAsync(IEnumerable`1)", static (rig, i) => rig.Hybrid.RemoveByTagAsync(["tag" + i, "other" + i])),
            Of(
                "MemcachedCache.TryGetAsync(String, IBufferWriter`1)",
                static (rig, i) => rig.Cache.TryGetAsync(i % 2 == 0 ? "there" : "missing", new ArrayBufferWriter<byte>()),
                static i => i % 2 == 0),
            Of(
                "MemcachedCache.TryGetCheckedAsync(String, IBufferWriter`1, Func`2)",
                static (rig, i)
                    => rig.Cache.TryGetCheckedAsync(i % 2 == 0 ? "there" : "missing", new ArrayBufferWriter<byte>(), static _ => true),
                static i => i % 2 == 0),
            Of(
                "MemcachedCache.SetAsync(String, ReadOnlySequence`1, DistributedCacheEntryOptions)",
                static (rig, i) => rig.Cache.SetAsync("buffer" + i, Bytes("x"), Minute)),
            Of(
                "MemcachedCache.TryAddAsync(String, ReadOnlySequence`1, DistributedCacheEntryOptions)",
                static (rig, i) => rig.Cache.TryAddAsync(i % 2 == 0 ? "there" : Guid.NewGuid().ToString(), Bytes("x"), Minute),
                static i => i % 2 != 0),
            Of(
                "MemcachedOutputCacheStore.GetAsync(String, CancellationToken)",
                static (rig, i) => rig.Store.GetAsync(i % 2 == 0 ? "page" : "missing", default),
                static i => i % 2 == 0 ? 4 : 0,
                static page => page?.Length ?? 0),
            Of(
                "MemcachedOutputCacheStore.TryGetAsync(String, PipeWriter, CancellationToken)",
                static (rig, i) => rig.Buffers.TryGetAsync(i % 2 == 0 ? "page" : "missing", new Pipe().Writer, default),
                static i => i % 2 == 0),
            Of(
                "MemcachedOutputCacheStore.SetAsync(String, Byte[], String[], TimeSpan, CancellationToken)",
                static (rig, i) => rig.Store.SetAsync("page" + i, [1, 2], ["a"], TimeSpan.FromMinutes(1), default)),
            Of(
                "MemcachedOutputCacheStore.SetAsync(String, ReadOnlySequence`1, ReadOnlyMemory`1, TimeSpan, CancellationToken)",
                static (rig, i) => rig.Buffers.SetAsync("page" + i, Bytes("xy"), (string[])["a"], TimeSpan.FromMinutes(1), default)),
            Of(
                "MemcachedOutputCacheStore.EvictByTagAsync(String, CancellationToken)",
                static (rig, i) => rig.Store.EvictByTagAsync("evicted" + i, default)),
            Of(
                "MemcachedCache.DisposeAsync()",
                static (rig, _) => new MemcachedCache(new MemcachedCacheOptions { Servers = [.. rig.Servers] }).DisposeAsync()) with
            {
                Ends = true,
            },
            Of(Hybrid + "DisposeAsync()", static (rig, _) => new MemcachedHybridCache(rig.Cache).DisposeAsync()) with
            {
                Ends = true,
            },
            Of(
                "EmbeddedMemcached.DisposeAsync()",
                static (_, _) => EmbeddedMemcached.Start(new EmbeddedMemcachedOptions()).DisposeAsync()) with
            {
                Ends = true,
            },
            Of(
                "EmbeddedMemcachedNode.DisposeAsync()",
                static (_, _) => EmbeddedMemcached.Start(new EmbeddedMemcachedOptions()).Nodes[0].DisposeAsync()) with
            {
                Ends = true,
            },
            Of(
                "FaultProxy.DisposeAsync()",
                static (rig, _) => FaultProxy.StartAsync(IPEndPoint.Parse(rig.Servers[0])).GetAwaiter().GetResult().DisposeAsync()) with
            {
                Ends = true,
            },
        ];
    }

    private static Member Of<T>(string name, Func<Rig, int, ValueTask<T>> call, Func<int, object?> expected, Func<T, object?>? read = null)
        => new(name, (rig, i) =>
        {
            ValueTask<T> task = call(rig, i);
            return new Pending(SourceOf(task), () => (read ?? (static value => value))(task.GetAwaiter().GetResult()), AwaitAsync);

            async Task<object?> AwaitAsync() => (read ?? (static value => value))(await task);
        }, expected);

    private static Member Of(string name, Func<Rig, int, ValueTask> call)
        => new(name, (rig, i) =>
        {
            ValueTask task = call(rig, i);
            return new Pending(SourceOf(task), TakeNothing, AwaitAsync);

            object? TakeNothing()
            {
                task.GetAwaiter().GetResult();
                return null;
            }

            async Task<object?> AwaitAsync()
            {
                await task;
                return null;
            }
        }, static _ => null);

    /// <summary>What stands behind it: nothing, a task, or a source that is used again.</summary>
    private static object? SourceOf<T>(T task) => typeof(T).GetField("_obj", BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(task);

    private sealed record Member(string Name, Func<Rig, int, Pending> Call, Func<int, object?> Expected)
    {
        /// <summary>Whether it is called once and ends what it is called on.</summary>
        public bool Ends { get; init; }
    }

    private sealed class Pending(object? source, Func<object?> take, Func<Task<object?>> awaiting)
    {
        public object? Source => source;

        public Task<object?> Awaited => awaiting();

        public object? Take() => take();
    }

    private sealed class Rig : IAsyncDisposable
    {
        private readonly PageApp _app;

        private Rig(PageApp app, string[] servers)
        {
            _app = app;
            Servers = servers;
            Hybrid = new MemcachedHybridCache(app.Cache, app.Services);
        }

        public string[] Servers { get; }

        public MemcachedCache Cache => _app.Cache;

        public MemcachedHybridCache Hybrid { get; }

        public IOutputCacheStore Store => _app.Store;

        public IOutputCacheBufferStore Buffers => (IOutputCacheBufferStore)_app.Store;

        public static async Task<Rig> StartAsync(string servers, bool withPipeline)
        {
            PageApp app = await PageApp.StartAsync(servers, static _ => { }, configure: services =>
            {
                if (withPipeline)
                {
                    services.AddMemcachedDistributedCache(static options => options.ConfigureResilience(static _ => { }));
                }
            });
            await app.Cache.SetAsync("there", [1], Minute);
            await app.Store.SetAsync("page", [1, 2, 3, 4], null, TimeSpan.FromMinutes(10), default);
            return new Rig(app, servers.Split(','));
        }

        public ValueTask DisposeAsync()
        {
            Hybrid.Dispose();
            return _app.DisposeAsync();
        }
    }
}
