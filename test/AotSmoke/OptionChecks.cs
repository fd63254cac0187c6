using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.AotSmoke;

/// <summary>Options from the configuration, and what is wrong with them.</summary>
internal static class OptionChecks
{
    public static void RunBound(IServiceProvider services)
    {
        MemcachedCacheOptions options = services.GetRequiredService<IOptionsMonitor<MemcachedCacheOptions>>().CurrentValue;
        Check.That(
            options.Servers.Count == 1
            && options.Namespace.StartsWith("aot-", StringComparison.Ordinal)
            && options.OperationTimeout == TimeSpan.FromSeconds(5)
            && options.FailureMode == MemcachedFailureMode.Throw
            && options.Hybrid.StaleWindow == TimeSpan.FromSeconds(10),
            "options of every kind come from the configuration");
    }

    public static async Task RunWrongAsync()
    {
        Check.That(
            (await ErrorOfAsync("Servers", "mc1:99999")).Contains("99999", StringComparison.Ordinal),
            "a wrong value ends the start, and the message names it");
        Check.That(
            (await ErrorOfAsync("Hybrid:LeaseTime", "00:00:01")).Contains("LeaseTime", StringComparison.Ordinal),
            "so does one out of its range");
        Check.That(
            (await ErrorOfAsync("FailureMode", "7")).Contains("Degrade or Throw", StringComparison.Ordinal),
            "the message has the names of an enumeration");
        Check.That(
            (await ErrorOfAsync("Tiemout", "00:00:01")).Contains("Tiemout", StringComparison.Ordinal),
            "a name that is no option ends the start");
    }

    private static async Task<string> ErrorOfAsync(string option, string value)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["Memcached:Servers"] = "127.0.0.1:11211",
            ["Memcached:" + option] = value,
        });
        builder.Services.AddMemcachedHybridCache(builder.Configuration.GetSection("Memcached"));
        using IHost host = builder.Build();
        try
        {
            await host.StartAsync();
            return "";
        }
        catch (Exception exception) when (exception is OptionsValidationException or InvalidOperationException)
        {
            return exception.Message;
        }
    }
}
