using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>
/// Notes when each request came. The store hears of a page twice, when it is looked for and when it is stored, and only the request tells
/// which look-up the page that is stored came after: ASP.NET lets requests for one page share a look-up.
/// </summary>
internal sealed class ArrivalFilter : IStartupFilter
{
    /// <inheritdoc/>
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        TimeProvider time = app.ApplicationServices.GetService<TimeProvider>() ?? TimeProvider.System;
        app.Use(following => context =>
        {
            // A pipeline that runs again for one request, as for an error page, keeps the first time: earlier is safe.
            if (context.Features.Get<Arrival>() is null)
            {
                context.Features.Set(new Arrival(time.GetTimestamp()));
            }

            return following(context);
        });
        next(app);
    };
}

/// <summary>A look-up and whose it is.</summary>
/// <param name="key">The key of the page.</param>
internal sealed class OwnLookup(string key)
{
    /// <summary>The key of the page.</summary>
    public string Key => key;

    /// <summary>The bytes that it read, once it has ended.</summary>
    public LookupLog.Lookup? Found { get; set; }
}

/// <summary>When a request came.</summary>
/// <param name="timestamp">As the time provider counts.</param>
internal sealed class Arrival(long timestamp)
{
    /// <summary>The time, as the time provider counts.</summary>
    public long Timestamp => timestamp;

    /// <summary>The keys that the request looked for by itself; a request that shared another's look-up has none.</summary>
    public OwnLookup? Lookup { get; set; }
}
