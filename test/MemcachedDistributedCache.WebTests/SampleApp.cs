using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.WebTests;

/// <summary>One instance of the sample, with its settings given as on a command line and its log kept.</summary>
internal sealed class SampleApp(IReadOnlyDictionary<string, string> settings, Action<IServiceCollection>? configure = null) : WebApplicationFactory<Program>
{
    private Uri _address = new("http://localhost");

    /// <summary>What the instance logged so far.</summary>
    public RecordingLogger Log { get; } = new();

    /// <summary>A client that keeps no cookies of its own.</summary>
    public HttpClient NewClient() => CreateClient(new WebApplicationFactoryClientOptions { BaseAddress = _address, HandleCookies = false, AllowAutoRedirect = false });

    /// <summary>Serves on a free port of its own, in place of the in-memory server.</summary>
    /// <returns>The address.</returns>
    public Uri Listen()
    {
        UseKestrel(0);
        StartServer();
        string address = Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        _address = new UriBuilder(address) { Host = "127.0.0.1" }.Uri;
        return _address;
    }

    /// <inheritdoc/>
    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment("Production");
        foreach ((string name, string value) in settings)
        {
            builder.UseSetting(name, value);
        }

        builder.ConfigureLogging(logging => logging.ClearProviders().AddProvider(Log));
        builder.ConfigureTestServices(services => configure?.Invoke(services));
    }
}
