using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace WebApi.Sessions;

/// <summary>Session state in the distributed cache, and an endpoint that uses it.</summary>
internal static class SessionEndpoints
{
    private const string Folder = "/api/session";
    private const string VisitsKey = "visits";

    public static void AddSessions(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<SessionSettings>().BindConfiguration("Session").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSession(options =>
        {
            options.Cookie.Name = "webapi.session";
            options.Cookie.HttpOnly = true;
            options.Cookie.SameSite = SameSiteMode.Lax;
            options.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;

            // It holds a random id and nothing else, and the session does not work without it: no consent is asked for.
            options.Cookie.IsEssential = true;
        });
        builder.Services.AddOptions<SessionOptions>()
            .Configure<IOptions<SessionSettings>>((options, settings) => options.IdleTimeout = settings.Value.IdleTimeout);

        // The cookie is encrypted. Instances that are to read each other's share the folder of keys and the application's name.
        string keys = builder.Configuration["DataProtection:KeysFolder"] ?? "App_Data/keys";
        builder.Services.AddDataProtection()
            .SetApplicationName("MemcachedDistributedCache.WebApi")
            .PersistKeysToFileSystem(new DirectoryInfo(Path.Combine(builder.Environment.ContentRootPath, keys)));
    }

    /// <summary>
    /// Gives a session to the endpoints that want one. The middleware refreshes a session at the end of every request that passes it, used
    /// or not, so before the whole application it would cost each product a second round trip.
    /// </summary>
    public static void UseSessions(this IApplicationBuilder app)
        => app.UseWhen(static context => context.Request.Path.StartsWithSegments(Folder), static branch => branch.UseSession());

    public static void MapSessions(this IEndpointRouteBuilder app) => app.MapGet(Folder + "/visits", CountVisitAsync);

    /// <summary>
    /// Counts this session's visits. ASP.NET Core does not lock a session: of two requests at the same moment both may
    /// read the same count, and the later write stays.
    /// </summary>
    private static async Task<Ok<VisitCount>> CountVisitAsync(HttpContext context, CancellationToken cancellationToken)
    {
        ISession session = context.Session;

        // Without LoadAsync and CommitAsync the session is loaded by a blocking call, and stored after the answer has begun to leave.
        await session.LoadAsync(cancellationToken);
        int visits = (session.GetInt32(VisitsKey) ?? 0) + 1;
        session.SetInt32(VisitsKey, visits);
        await session.CommitAsync(cancellationToken);
        return TypedResults.Ok(new VisitCount(visits));
    }
}

/// <summary>The answer of the visits endpoint.</summary>
internal sealed record VisitCount(int Visits);
