using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WebApi.Health;

/// <summary>Signs of life for whoever runs the application.</summary>
internal static class HealthEndpoints
{
    private const string Ready = "ready";

    public static void AddHealth(this WebApplicationBuilder builder)
        => builder.Services.AddHealthChecks()
            .AddMemcached(tags: [Ready], timeout: TimeSpan.FromSeconds(2))
            .AddMemcachedWarmup(tags: [Ready], limit: TimeSpan.FromMinutes(1));

    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        // Alive is who answers at all: restarting this process would not bring a cache server back.
        app.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = static _ => false });

        // Without some of its cache servers the application is degraded and ready (200), without all of them it is not
        // (503): its store would have to bear every read. One whose store can bear that says failureStatus:
        // HealthStatus.Degraded in AddMemcached, and stays ready.
        app.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = static check => check.Tags.Contains(Ready), ResponseWriter = WriteAsync });
    }

    private static async Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status", report.Status.ToString());
        foreach ((string name, HealthReportEntry entry) in report.Entries)
        {
            json.WriteStartObject(name);
            json.WriteString("status", entry.Status.ToString());
            json.WriteString("description", entry.Description);
            json.WriteStartArray("down");
            foreach (string server in entry.Data.TryGetValue("down", out object? down) ? (string[])down : [])
            {
                json.WriteStringValue(server);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }
}
