using System.Text.RegularExpressions;

namespace MemcachedDistributedCache.WebTests;

/// <summary>The files that start the sample elsewhere, as far as they can be read without what runs them.</summary>
public sealed partial class DeploymentTests
{
    [Fact]
    public void Compose_starts_the_servers_that_the_instances_name()
    {
        string file = Read("docker-compose.yml");
        string[] named = [.. Servers(file).Select(static server => server.Split(':')[0])];
        string[] started =
        [
            .. ServiceName()
                .Matches(file[file.IndexOf("\nservices:", StringComparison.Ordinal)..])
                .Select(static match => match.Groups["name"].Value),
        ];
        Assert.Equal(3, named.Length);
        Assert.Equal(named, started.Where(static name => name.StartsWith("memcached", StringComparison.Ordinal)));
        Assert.Equal(["webapi1", "webapi2"], started.Where(static name => name.StartsWith("webapi", StringComparison.Ordinal)));
    }

    [Fact]
    public void Kubernetes_names_each_pod_of_the_set_behind_a_headless_service()
    {
        string file = Read("kubernetes.yaml");
        Assert.Contains("clusterIP: None", file, StringComparison.Ordinal);
        Assert.Contains("serviceName: memcached", file, StringComparison.Ordinal);
        Assert.Contains("replicas: 3", file, StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(0, 3).Select(static i => $"memcached-{i}.memcached:11211"), Servers(file));
        Assert.Contains("/health/live", file, StringComparison.Ordinal);
        Assert.Contains("/health/ready", file, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_setting_in_them_is_one_that_the_sample_reads()
    {
        string[] known = ["Memcached__Servers", "Products__DatabasePath", "DataProtection__KeysFolder"];
        foreach (string file in (string[])["docker-compose.yml", "kubernetes.yaml"])
        {
            Assert.Equal(
                known.Order(StringComparer.Ordinal),
                Setting()
                    .Matches(Read(file))
                    .Select(static match => match.Value)
                    .Distinct(StringComparer.Ordinal)
                    .Order(StringComparer.Ordinal));
        }
    }

    private static string[] Servers(string file) => ServerList().Match(file).Groups["list"].Value.Split(',');

    private static string Read(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, name)).ReplaceLineEndings("\n");

    [GeneratedRegex("Memcached__Servers(:|, value:) \"?(?<list>[a-z0-9.:,-]+)", RegexOptions.ExplicitCapture)]
    private static partial Regex ServerList();

    [GeneratedRegex("^  (?<name>[a-z0-9]+):$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex ServiceName();

    [GeneratedRegex("[A-Z][A-Za-z]+__[A-Za-z]+")]
    private static partial Regex Setting();
}
