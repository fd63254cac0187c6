using MemcachedDistributedCache;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using OpenTelemetry;

namespace WebApi.Telemetry;

/// <summary>Sends metrics and traces to a collector, where one is named; nothing is measured otherwise.</summary>
internal static class TelemetrySettings
{
    public static void AddTelemetry(this WebApplicationBuilder builder)
    {
        if (!string.IsNullOrWhiteSpace(builder.Configuration[TelemetryExport.Endpoint]))
        {
            builder.Services.AddHostedService<TelemetryExport>();
        }
    }
}

/// <summary>Exports from the host's start to its end.</summary>
internal sealed class TelemetryExport(IConfiguration configuration) : IHostedService
{
    /// <summary>OpenTelemetry's own variable; the exporter reads it and its kin (protocol, headers, interval) by itself.</summary>
    public const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private OpenTelemetrySdk? _sdk;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _sdk = OpenTelemetrySdk.Create(builder =>
        {
            // The application's configuration, so that settings may come from anywhere and not from the environment alone.
            builder.Services.AddSingleton(configuration);
            builder.ConfigureResource(static resource =>
                resource.AddService("webapi", serviceInstanceId: $"{Environment.MachineName}:{Environment.ProcessId}"));
            builder.WithMetrics(static metrics =>
                metrics
                    .AddMeter(MemcachedTelemetry.MeterName)
                    .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel")
                    .AddOtlpExporter());
            builder.WithTracing(static traces =>
                traces.AddSource(MemcachedTelemetry.ActivitySourceName).AddSource("Microsoft.AspNetCore").AddOtlpExporter());
        });
        return Task.CompletedTask;
    }

    /// <summary>Sends what is left.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _sdk?.Dispose();
        return Task.CompletedTask;
    }
}
