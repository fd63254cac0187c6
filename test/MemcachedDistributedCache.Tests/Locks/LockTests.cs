using System.Reflection;
using MemcachedDistributedCache.Testing;
using Medallion.Threading;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Locks;

/// <summary>What a lock does with each answer, and with none.</summary>
public sealed class LockTests
{
    private static readonly MemcachedLockOptions Options = new()
    {
        LeaseDuration = TimeSpan.FromSeconds(10),
        RenewalInterval = TimeSpan.FromSeconds(2),
    };

    private readonly IMemcachedClient _client = DispatchProxy.Create<IMemcachedClient, FakeLockServer>();

    private FakeLockServer Server => (FakeLockServer)_client;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_lock_has_one_holder(bool isBlocking)
    {
        MemcachedLock one = Lock();
        MemcachedLock other = Lock();
        MemcachedLockHandle held = isBlocking ? one.Acquire() : await one.AcquireAsync();
        Assert.Null(isBlocking ? other.TryAcquire() : await other.TryAcquireAsync());
        await Release(held);
        Assert.Null(Server.Owner);
        MemcachedLockHandle next = isBlocking ? other.Acquire() : await other.AcquireAsync();
        Assert.Equal(held.FencingToken + 1, next.FencingToken);
        Assert.False(held.HandleLostToken.IsCancellationRequested);

        // A second release is none of the next holder's lock.
        await Release(held);
        Assert.NotNull(Server.Owner);
        await Release(next);

        async Task Release(MemcachedLockHandle handle)
        {
            if (isBlocking)
            {
                handle.Dispose();
            }
            else
            {
                await handle.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task A_waiting_caller_gets_the_lock_when_it_is_free()
    {
        Server.Owner = "another";
        Task<MemcachedLockHandle> waiting = Lock().AcquireAsync(TimeSpan.FromSeconds(5)).AsTask();
        for (int i = 0; i < 3; i++)
        {
            await PassAsync(TimeSpan.FromMilliseconds(250));
            Assert.False(waiting.IsCompleted);
        }

        Server.Owner = null;
        await PassAsync(TimeSpan.FromMilliseconds(250));
        await using MemcachedLockHandle held = await waiting.WaitAsync(Eventually.Limit);
        Assert.InRange(Server.CountOf("Add"), 2, 1000 / 5);
    }

    [Fact]
    public async Task A_waiting_caller_leaves_at_the_time_out_and_when_cancelled()
    {
        Server.Owner = "another";
        Task<MemcachedLockHandle> waiting = Lock().AcquireAsync(TimeSpan.FromMilliseconds(100)).AsTask();
        while (!waiting.IsCompleted)
        {
            await PassAsync(TimeSpan.FromMilliseconds(5), waiting);
        }

        await Assert.ThrowsAsync<TimeoutException>(() => waiting);
        using var leaves = new CancellationTokenSource();
        Task<MemcachedLockHandle?> cancelled = Lock().TryAcquireAsync(TimeSpan.FromHours(1), leaves.Token).AsTask();
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Server.Before = _ => leaves.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Lock().Acquire(null, leaves.Token));
        Assert.Throws<ArgumentOutOfRangeException>(() => Lock().TryAcquire(TimeSpan.FromSeconds(-2)));
        Assert.Equal("another", Server.Owner);
    }

    /// <summary>Whether the server had taken the lock is read from it; a lock that was taken is the caller's.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_add_without_an_answer_is_looked_for(bool isDone)
    {
        Server.Fail("Add", MemcachedOutcome.Unknown, isDone);
        Task<MemcachedLockHandle> taking = Lock().AcquireAsync().AsTask();
        if (!isDone)
        {
            await PassAsync(TimeSpan.FromMilliseconds(10));
        }

        await using MemcachedLockHandle held = await taking.WaitAsync(Eventually.Limit);
        Assert.NotNull(Server.Owner);
        Assert.Equal(isDone ? 1 : 2, Server.CountOf("Add"));
    }

    [Fact]
    public async Task A_caller_who_gives_up_withdraws_what_an_unanswered_add_took()
    {
        Server.Fail("Add", MemcachedOutcome.Unknown, isDone: true);
        Server.Fail("GetItem", MemcachedOutcome.Unavailable);
        await Assert.ThrowsAsync<MemcachedOutcomeException>(() => Lock().TryAcquireAsync().AsTask());
        Assert.Null(Server.Owner);
    }

    [Fact]
    public async Task A_server_that_is_down_is_no_other_holder()
    {
        Server.IsDown = true;
        await Assert.ThrowsAsync<MemcachedOutcomeException>(() => Lock().TryAcquireAsync().AsTask());
        Assert.Throws<MemcachedOutcomeException>(() => Lock().TryAcquire());
        Server.IsDown = false;
        Server.Fail("Add", MemcachedOutcome.OutOfMemory);
        await Assert.ThrowsAsync<MemcachedOutcomeException>(() => Lock().AcquireAsync().AsTask());
    }

    [Fact]
    public async Task Without_a_fencing_number_the_lock_is_given_back()
    {
        Server.Fail("Increment", MemcachedOutcome.Unavailable);
        await Assert.ThrowsAsync<MemcachedOutcomeException>(() => Lock().TryAcquireAsync().AsTask());
        Assert.Null(Server.Owner);
        Server.Fail("Increment", MemcachedOutcome.Rejected);
        await Assert.ThrowsAsync<MemcachedOutcomeException>(() => Lock().AcquireAsync().AsTask());
        Assert.Null(Server.Owner);
    }

    [Fact]
    public async Task A_fencing_number_grows_though_answers_and_the_counter_are_lost()
    {
        ulong before = await TakeOnceAsync();
        Server.Fail("Increment", MemcachedOutcome.Unknown, isDone: true);
        ulong second = await TakeOnceAsync();
        Assert.Equal(before + 2, second);
        Server.LoseCounter();
        Server.Time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(await TakeOnceAsync() > second);

        async Task<ulong> TakeOnceAsync()
        {
            await using MemcachedLockHandle held = await Lock().AcquireAsync();
            return held.FencingToken;
        }
    }

    /// <summary>Its number could be above that of the next holder.</summary>
    [Fact]
    public async Task A_lock_whose_lease_ended_while_its_number_was_drawn_is_not_handed_out()
    {
        Server.Before = verb => Server.Time.Advance(verb == "Increment" ? TimeSpan.FromSeconds(9) : TimeSpan.Zero);
        Assert.Null(await Lock().TryAcquireAsync());
        Assert.Null(Server.Owner);
    }

    [Fact]
    public async Task A_lock_is_renewed_for_as_long_as_it_is_held()
    {
        await using MemcachedLockHandle held = await Lock().AcquireAsync();
        for (int i = 1; i <= 20; i++)
        {
            await RenewalAsync();
            await Eventually.True(() => Server.CountOf("CompareAndSet") == i, "the renewal");
        }

        Assert.NotNull(Server.Owner);
        Assert.False(held.HandleLostToken.IsCancellationRequested);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("another")]
    public async Task A_lock_that_a_renewal_does_not_find_is_lost(string? owner)
    {
        await using MemcachedLockHandle held = await Lock().AcquireAsync();
        Server.Owner = owner;
        await RenewalAsync();
        await Eventually.True(() => held.HandleLostToken.IsCancellationRequested, "the loss");
        await held.DisposeAsync();
        Assert.Equal(owner, Server.Owner);
    }

    [Fact]
    public async Task A_renewal_on_another_connection_or_without_an_answer_reads_the_owner_and_keeps_the_lock()
    {
        await using MemcachedLockHandle held = await Lock().AcquireAsync();
        Server.Reconnect();
        await RenewalAsync();
        await Eventually.True(() => Server.CountOf("CompareAndSet") == 2, "the second attempt");
        Server.Fail("CompareAndSet", MemcachedOutcome.Unknown, isDone: true);
        await RenewalAsync();
        await Eventually.True(() => Server.CountOf("CompareAndSet") == 4, "the second attempt");
        Assert.Equal(2, Server.CountOf("GetItem"));
        Server.Reconnect();
        await held.DisposeAsync();
        Assert.Null(Server.Owner);
        Assert.False(held.HandleLostToken.IsCancellationRequested);
    }

    /// <summary>The holder's lease ends a second and a hundredth before the server's.</summary>
    [Fact]
    public async Task A_lock_without_an_answer_is_lost_before_the_server_lets_it_go()
    {
        await using MemcachedLockHandle held = await Lock().AcquireAsync();
        Server.IsDown = true;
        Server.Time.Advance(TimeSpan.FromSeconds(8.8));
        Assert.False(held.HandleLostToken.IsCancellationRequested);
        Server.Time.Advance(TimeSpan.FromSeconds(0.11));
        Assert.True(held.HandleLostToken.IsCancellationRequested);
        Assert.NotNull(Server.Owner);
    }

    [Fact]
    public async Task A_release_without_an_answer_is_repeated()
    {
        foreach (bool isDone in (bool[])[true, false])
        {
            MemcachedLockHandle held = await Lock().AcquireAsync();
            Server.Fail("CompareAndDelete", MemcachedOutcome.Unknown, isDone);
            await held.DisposeAsync();
            Assert.Null(Server.Owner);
        }

        MemcachedLockHandle last = await Lock().AcquireAsync();
        Server.IsDown = true;
        await last.DisposeAsync();
        Server.Time.Advance(Options.LeaseDuration);
        Assert.Null(Server.Owner);
    }

    [Fact]
    public async Task Blocking_callers_use_blocking_calls()
    {
        IMemcachedClient spy = DispatchProxy.Create<IMemcachedClient, BlockingOnly>();
        ((BlockingOnly)spy).Inner = _client;
        var locks = new MemcachedLock("name", spy, Options, Server.Time);
        Server.Fail("Add", MemcachedOutcome.Unknown, isDone: true);
        locks.Acquire().Dispose();
        Assert.Null(Server.Owner);
        await Assert.ThrowsAsync<InvalidOperationException>(() => locks.AcquireAsync().AsTask());
    }

    [Fact]
    public void Names_are_legal_keys_and_never_meet()
    {
        string[] names =
        [
            "a", "A", "#a", "a b", "a\nb", "a\0b", "ä", "\ud800", "\udc00", "\ufffd", new('x', 40), new('x', 41), new('x', 100_000), "lock|a", "fence|a",
            LockNames.KeyOf("ä").Text["lock|".Length..],
        ];
        MemcachedKey[] keys = [.. names.Select(LockNames.KeyOf), .. names.Select(LockNames.CounterOf)];
        Assert.Equal(keys.Length, keys.Select(static key => key.Text).Distinct(StringComparer.Ordinal).Count());
        Assert.All(keys, static key => Assert.True(key.Text.Length <= 50 && key.Text.All(static c => c is > ' ' and < '\x7f')));
        Assert.All(names, static name => Assert.Equal(LockNames.KeyOf(name).Routing, LockNames.CounterOf(name).Routing));
        Assert.Equal("lock|nightly-report", LockNames.KeyOf("nightly-report").Text);
        Assert.Throws<ArgumentException>(() => new MemcachedLock("", _client));
    }

    [Theory]
    [InlineData("LeaseDuration", 2.9)]
    [InlineData("LeaseDuration", 86401)]
    [InlineData("RenewalInterval", 0.05)]
    [InlineData("RenewalInterval", 4.5)]
    [InlineData("MinimumWaitPause", 0)]
    [InlineData("MaximumWaitPause", 61)]
    [InlineData("MaximumWaitPause", 0.005)]
    public void Options_have_ranges(string option, double seconds)
    {
        var options = new MemcachedLockOptions { LeaseDuration = TimeSpan.FromSeconds(10) };
        typeof(MemcachedLockOptions).GetProperty(option)!.SetValue(options, TimeSpan.FromSeconds(seconds));
        Assert.Contains(option, Assert.Throws<OptionsValidationException>(() => new MemcachedLock("name", _client, options)).Message, StringComparison.Ordinal);
        var services = new ServiceCollection();
        services.AddSingleton(_client).AddMemcachedLocks(own =>
        {
            own.LeaseDuration = options.LeaseDuration;
            typeof(MemcachedLockOptions).GetProperty(option)!.SetValue(own, TimeSpan.FromSeconds(seconds));
        });
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.Throws<OptionsValidationException>(provider.GetRequiredService<IDistributedLockProvider>);
    }

    [Fact]
    public async Task Registrations_give_locks_on_the_client_of_their_name()
    {
        var services = new ServiceCollection();
        services.AddSingleton(_client).AddMemcachedLocks(static own => own.LeaseDuration = TimeSpan.FromSeconds(5)).AddMemcachedLocks();
        services.AddKeyedSingleton("jobs", _client).AddKeyedMemcachedLocks("jobs");
        await using ServiceProvider provider = services.BuildServiceProvider();
        Assert.Single(provider.GetServices<IDistributedLockProvider>());
        IDistributedLock one = provider.GetRequiredService<IDistributedLockProvider>().CreateLock("name");
        IDistributedLock same = provider.GetRequiredKeyedService<IDistributedLockProvider>("jobs").CreateLock("name");
        Assert.Equal("name", one.Name);
        await using IDistributedSynchronizationHandle held = await one.AcquireAsync(TimeSpan.Zero);
        Assert.Null(await same.TryAcquireAsync());
        Assert.Null(same.TryAcquire());
    }

    private MemcachedLock Lock() => new("name", _client, Options, Server.Time);

    /// <summary>Lets time pass for somebody who waits.</summary>
    private async Task PassAsync(TimeSpan time, Task? unless = null)
    {
        await Eventually.True(() => unless?.IsCompleted == true || Server.Time.IsPausing(), "a pause");
        Server.Time.Advance(time);
    }

    private async Task RenewalAsync()
    {
        TimeSpan interval = Options.EffectiveRenewalInterval;
        await Eventually.True(() => Server.Time.IsPausing(interval), "the pause before a renewal");
        Server.Time.Advance(interval);
    }

    /// <summary>Passes on what blocks.</summary>
    public class BlockingOnly : DispatchProxy
    {
        internal IMemcachedClient? Inner { get; set; }

        /// <inheritdoc/>
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
            => targetMethod!.Name.EndsWith("Async", StringComparison.Ordinal)
                ? throw new InvalidOperationException("This call does not block.")
                : targetMethod.Invoke(Inner, args);
    }
}
