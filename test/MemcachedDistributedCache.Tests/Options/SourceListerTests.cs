using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Tests.Options;

public sealed class SourceListerTests : IMemcachedServerSource
{
    private readonly ManualTimeProvider _time = new();
    private readonly SourceLister _lister;
    private Func<CancellationToken, ValueTask<IReadOnlyList<string>>> _answer = static _ => ValueTask.FromResult<IReadOnlyList<string>>(["mc1"]);
    private int _asked;

    public SourceListerTests() => _lister = new SourceLister(this, TimeSpan.FromSeconds(2), _time);

    public string Name => "service 'mc'";

    public ValueTask<IReadOnlyList<string>> GetServersAsync(Action changed, CancellationToken cancellationToken)
    {
        _asked++;
        return _answer(cancellationToken);
    }

    [Theory]
    [InlineData("mc1,mc2:5;weight=3,unix:/run/mc.sock", null)]
    [InlineData("", "it names 0 servers, and 1 to 512 can be")]
    [InlineData("mc1,mc2:0", "it names the server 'mc2:0': the port '0' must be")]
    [InlineData("mc1,mc2;password=secret", "it names the server 'mc2': 'password' is not a server setting")]
    [InlineData("mc1,mc2;addresses=each", "it names 'mc2:11211' with 'addresses=each'")]
    [InlineData("mc.cfg;discover=cluster", "it names 'mc.cfg:11211' with 'addresses=each' or 'discover='")]
    public void A_list_is_used_as_a_whole_or_not_at_all(string told, string? error)
    {
        _answer = _ => ValueTask.FromResult<IReadOnlyList<string>>(ServerSpec.Split(told));
        ServerList answer = Ask();
        Assert.Equal(error is null, answer.Error is null);
        Assert.Equal(error is null ? 3 : null, answer.Servers?.Count);
        Assert.StartsWith(error ?? "", answer.Error ?? "", StringComparison.Ordinal);
        Assert.DoesNotContain("secret", answer.Error ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_and_too_much_are_no_list()
    {
        _answer = static _ => ValueTask.FromResult<IReadOnlyList<string>>(null!);
        Assert.StartsWith("it names 0 servers", Ask().Error, StringComparison.Ordinal);
        _answer = static _ => ValueTask.FromResult<IReadOnlyList<string>>([.. Enumerable.Range(0, 513).Select(static i => $"mc{i}")]);
        Assert.StartsWith("it names 513 servers", Ask().Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_exception_is_the_reason()
    {
        _answer = static _ => throw new InvalidOperationException("at once");
        Assert.Equal("at once", Ask().Error);
        _answer = static _ => ValueTask.FromException<IReadOnlyList<string>>(new TimeoutException("later"));
        Assert.Equal("later", Ask().Error);
    }

    [Fact]
    public async Task A_source_that_hangs_is_given_up_and_not_asked_a_second_time()
    {
        var late = new TaskCompletionSource<IReadOnlyList<string>>();
        CancellationToken told = default;
        _answer = token =>
        {
            told = token;
            return new(late.Task);
        };
        for (int i = 0; i < 2; i++)
        {
            Task<ServerList> asking = Task.Run(Ask);
            await Eventually.True(() => _time.IsPausing(TimeSpan.FromSeconds(2)), "it waits");
            _time.Advance(TimeSpan.FromSeconds(2));
            Assert.Equal("no answer within 2 s", (await asking).Error);
            Assert.True(told.IsCancellationRequested);
        }

        Assert.Equal(1, _asked);
        late.SetResult(["late"]);
        Assert.Equal(1, Ask().Servers?.Count);
        Assert.Equal(2, _asked);
    }

    [Fact]
    public async Task A_cluster_that_is_disposed_waits_for_no_answer()
    {
        _answer = static _ => new(new TaskCompletionSource<IReadOnlyList<string>>().Task);
        using var stop = new CancellationTokenSource();
        Task<ServerList> asking = Task.Run(() => _lister.Ask(static () => { }, stop.Token));
        await Eventually.True(() => _time.IsPausing(TimeSpan.FromSeconds(2)), "it waits");
        await stop.CancelAsync();
        Assert.NotNull((await asking).Error);
    }

    private ServerList Ask() => _lister.Ask(static () => { }, CancellationToken.None);
}
