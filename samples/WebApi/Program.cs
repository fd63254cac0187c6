using MemcachedDistributedCache;
using WebApi.Cache;
using WebApi.Health;
using WebApi.Home;
using WebApi.Products;
using WebApi.Quotes;
using WebApi.Reports;
using WebApi.Sessions;
using WebApi.Telemetry;
using WebApi.Views;
using WebApi;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);

builder.AddCache();
builder.AddProducts();
builder.AddQuotes();
builder.AddViews();
builder.AddSessions();
builder.AddTelemetry();
builder.AddReports();
builder.AddHealth();
builder.AddNodeEvents();
builder.Services.AddOpenApi();
builder.Services.AddProblemDetails();
builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, AppJsonContext.Default));

// A malformed id or body is the caller's mistake: 400 in every environment, not an exception page in Development.
builder.Services.PostConfigure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = false);

WebApplication app = builder.Build();

// Only with Memcached:FailureMode = Throw does an outage come this far, and then it is not the application that is broken.
app.UseExceptionHandler(
    new ExceptionHandlerOptions
    {
        StatusCodeSelector = exception =>
            exception is MemcachedUnavailableException ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status500InternalServerError,
    });
app.UseStatusCodePages();
app.UseRateLimiter();
app.UseSessions();
app.UseOutputCache();

app.MapHome();
app.MapProducts();
app.MapQuotes();
app.MapViews();
app.MapSessions();
app.MapCache();
app.MapReports();
app.MapHealth();
app.MapNodeEvents();
app.MapOpenApi();

await app.Services.GetRequiredService<ProductStore>().InitializeAsync();
await app.RunAsync();
