using Microsoft.AspNetCore.Http.HttpResults;

namespace WebApi.Home;

/// <summary>The page at <c>/</c>, one file without anything from elsewhere.</summary>
internal static class HomeEndpoint
{
    private static readonly string Page = Load();

    public static void MapHome(this IEndpointRouteBuilder app) => app.MapGet("/", static (HttpResponse response) =>
    {
        response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:";
        return TypedResults.Content(Page, "text/html; charset=utf-8");
    });

    private static string Load()
    {
        // A resource and not a file, so that the page is there whatever the working directory is.
        using var reader = new StreamReader(typeof(HomeEndpoint).Assembly.GetManifestResourceStream("index.html")!);
        return reader.ReadToEnd();
    }
}
