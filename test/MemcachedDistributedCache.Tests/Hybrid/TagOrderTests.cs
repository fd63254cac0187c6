using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>Requests for tags that rely on their order.</summary>
public sealed class TagOrderTests
{
    private readonly HybridModel _model = new(new ManualTimeProvider());

    [Fact]
    public async Task What_a_delivery_replaces_is_read_before_it_is_replaced()
    {
        using HybridRig one = new(_model);
        using HybridRig other = new(_model);
        await one.Set("key", "old", "t");
        one.Client.IsAway = true;
        await one.Parts.Tags.InvalidateAsync("t");
        one.Client.IsAway = false;

        // A read that need not keep its place comes after the store that was sent behind it.
        int before = one.Client.Count("set", "#@t");
        var stored = new TaskCompletionSource();
        one.Client.Hold = (verb, key) => (verb, key) == ("get unordered", "#@t") ? stored.Task : Task.CompletedTask;
        one.Pass(2);
        Task setting = one.Set("key", "new", "t");
        await Eventually.True(() => one.Client.Count("set", "#@t") == before + 1, "it is delivered");
        stored.SetResult();
        await setting;
        for (int i = 0; i < 3; i++)
        {
            one.Pass(2);
            Assert.Equal("new", await one.Peek("key"));
            Assert.Equal("new", await other.Peek("key"));
        }
    }
}
