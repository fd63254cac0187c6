using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.Tests.Support;

/// <summary>Two instances of one application, and how often their endpoints ran together.</summary>
internal sealed class PagePair : IAsyncDisposable
{
    private PagePair(PageApp one, PageApp other, CallCount calls) => (One, Other, Calls) = (one, other, calls);

    public PageApp One { get; }

    public PageApp Other { get; }

    public CallCount Calls { get; }

    public static async Task<PagePair> StartAsync(string servers, Action<WebApplication, CallCount> map, Action<IServiceCollection>? configure = null)
    {
        var calls = new CallCount();
        string space = PageApp.NewNamespace();
        PageApp one = await PageApp.StartAsync(servers, app => map(app, calls), space, configure);
        return new PagePair(one, await PageApp.StartAsync(servers, app => map(app, calls), space, configure), calls);
    }

    public async ValueTask DisposeAsync()
    {
        await One.DisposeAsync();
        await Other.DisposeAsync();
    }
}

/// <summary>Counts the runs of endpoints; each run gets a text of its own.</summary>
internal sealed class CallCount
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public string Next() => "made " + Interlocked.Increment(ref _count);
}
