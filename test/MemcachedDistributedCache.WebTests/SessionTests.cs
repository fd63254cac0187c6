using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.WebTests;

public sealed class SessionTests
{
    [MemcachedFact]
    public async Task Two_instances_share_a_session()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        string cookie = await one.BeginSessionAsync();
        Assert.Equal((2, null), await other.VisitAsync(cookie));
        Assert.Equal((3, null), await one.VisitAsync(cookie));
        Assert.Equal((4, null), await other.VisitAsync(cookie));
    }

    [MemcachedFact]
    public async Task An_instance_with_other_keys_cannot_read_the_cookie()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient stranger = cluster.NewApp(null, ("DataProtection:KeysFolder", Path.Combine(cluster.Folder, "other-keys"))).NewClient();
        string cookie = await one.BeginSessionAsync();
        (int visits, string? setCookie) = await stranger.VisitAsync(cookie);
        Assert.Equal(1, visits);
        Assert.NotNull(setCookie);
        Assert.Equal(2, (await one.VisitAsync(cookie)).Visits);
    }

    [MemcachedFact]
    public async Task Sessions_do_not_mix()
    {
        const int Sessions = 16;
        const int Visits = 20;
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        await Task.WhenAll(Enumerable.Range(0, Sessions).Select(_ => Task.Run(async () =>
        {
            string cookie = await one.BeginSessionAsync();
            for (int visit = 2; visit <= Visits; visit++)
            {
                Assert.Equal((visit, null), await (visit % 2 == 0 ? other : one).VisitAsync(cookie));
            }
        })));
    }

    [MemcachedFact]
    public async Task Visits_at_the_same_moment_all_succeed_and_no_count_is_invented()
    {
        const int Visits = 40;
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        string cookie = await one.BeginSessionAsync();
        string bystander = await one.BeginSessionAsync();

        (int Visits, string? SetCookie)[] seen = await Task.WhenAll(
            Enumerable.Range(0, Visits).Select(n => Task.Run(() => (n % 2 == 0 ? one : other).VisitAsync(cookie))));
        Assert.All(seen, visit => Assert.InRange(visit.Visits, 2, 1 + Visits));
        Assert.All(seen, static visit => Assert.Null(visit.SetCookie));

        // A session is not locked, so counts may be lost; but the last one stored is one that was seen.
        int last = (await other.VisitAsync(cookie)).Visits - 1;
        Assert.Contains(last, seen.Select(static visit => visit.Visits));
        Assert.Equal(2, (await other.VisitAsync(bystander)).Visits);
    }

    [MemcachedFact]
    public async Task The_cookie_is_hidden_from_scripts_and_from_other_sites()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp(null, ("Session:IdleTimeout", "00:07:00"));
        using HttpClient client = app.NewClient();
        string[] attributes = (await client.VisitAsync(null)).SetCookie!.Split("; ");
        Assert.StartsWith("webapi.session=", attributes[0], StringComparison.Ordinal);
        Assert.Equal(["httponly", "path=/", "samesite=lax"], attributes.Skip(1).Order(StringComparer.Ordinal));

        SessionOptions options = app.Services.GetRequiredService<IOptions<SessionOptions>>().Value;
        Assert.True(options.Cookie.IsEssential);
        Assert.Equal(TimeSpan.FromMinutes(7), options.IdleTimeout);
    }
}
