using Microsoft.AspNetCore.Http;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>Looks at the request in whose flow the store is called.</summary>
internal static class RequestFeatures
{
    /// <summary>
    /// A feature of the request; null where there is none, and where the request is over and a task that it started
    /// goes on.
    /// </summary>
    public static TFeature? Find<TFeature>(this HttpContext? request)
        where TFeature : class
    {
        try
        {
            return request?.Features.Get<TFeature>();
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }
}
