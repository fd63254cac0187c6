using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// The name of the host's environment, without a reference to hosting: a host puts the name into its configuration
/// under <c>environment</c>, wherever it has it from, the command line included. Without a host there are the variables
/// that it would have read.
/// </summary>
internal static class HostEnvironment
{
    /// <summary>The application is being developed.</summary>
    public static bool IsDevelopment(IServiceProvider? services)
    {
        string? name = services?.GetService<IConfiguration>()?["environment"];
        name = string.IsNullOrEmpty(name) ? Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT") : name;
        name = string.IsNullOrEmpty(name) ? Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT") : name;
        return string.Equals(name, "Development", StringComparison.OrdinalIgnoreCase);
    }
}
