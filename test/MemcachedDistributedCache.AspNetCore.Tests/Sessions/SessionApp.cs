using MemcachedDistributedCache.AspNetCore.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.AspNetCore.Tests.Sessions;

/// <summary>
/// One instance of an application with sessions on memcached; those that share a folder and a namespace share their
/// sessions.
/// </summary>
internal sealed class SessionApp : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client;

    private SessionApp(WebApplication app, RecordingLogger log)
    {
        _app = app;
        _client = app.GetTestClient();
        Log = log;
    }

    public RecordingLogger Log { get; }

    public MemcachedCache Cache => _app.Services.GetRequiredService<MemcachedCache>();

    public static async Task<SessionApp> StartAsync(IEnumerable<string> servers, string folder, string keyNamespace, TimeSpan idleTimeout)
    {
        var log = new RecordingLogger();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.Services.AddMemcachedDistributedCache(options =>
        {
            options.Servers = [.. servers];
            options.Namespace = keyNamespace;
            options.OperationTimeout = TimeSpan.FromSeconds(20);
            options.ConnectTimeout = TimeSpan.FromSeconds(20);
        });
        builder.Services.AddSession(options => options.IdleTimeout = idleTimeout);
        builder.Services.AddDataProtection().SetApplicationName("tests").PersistKeysToFileSystem(new DirectoryInfo(folder));
        WebApplication app = builder.Build();
        app.UseSession();
        app.MapGet("/nothing", static () => "");
        app.MapGet("/get/{key}", static async (string key, HttpContext context) =>
        {
            await context.Session.LoadAsync();
            return context.Session.GetString(key) ?? "(none)";
        });
        app.MapGet("/blocking/{key}", static (string key, HttpContext context) => context.Session.GetString(key) ?? "(none)");
        app.MapGet("/set/{key}/{value}", static async (string key, string value, HttpContext context) =>
        {
            await context.Session.LoadAsync();
            context.Session.SetString(key, value);
            await context.Session.CommitAsync();
        });
        app.MapGet("/grow/{key}/{size:int}", static (string key, int size, HttpContext context) => context.Session.SetString(key, new string('x', size)));
        app.MapGet("/remove/{key}", static (string key, HttpContext context) => context.Session.Remove(key));
        app.MapGet("/clear", static (HttpContext context) => context.Session.Clear());
        await app.StartAsync();
        return new SessionApp(app, log);
    }

    /// <summary>Sends a request with a session's cookie, and returns the answer and the cookie that it sets, if any.</summary>
    public async Task<(string Answer, string? Cookie)> SendAsync(string path, string? cookie = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (cookie is not null)
        {
            request.Headers.Add("Cookie", cookie);
        }

        using HttpResponseMessage response = await _client.SendAsync(request);
        response.EnsureSuccessStatusCode();
        string? set = response.Headers.TryGetValues("Set-Cookie", out IEnumerable<string>? values) ? values.Single().Split(';')[0] : null;
        return (await response.Content.ReadAsStringAsync(), set);
    }

    /// <summary>Reads a value of a session.</summary>
    public async Task<string> GetAsync(string key, string cookie) => (await SendAsync("/get/" + key, cookie)).Answer;

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }
}
