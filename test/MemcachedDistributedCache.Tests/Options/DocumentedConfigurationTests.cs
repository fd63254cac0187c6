using System.Text;
using System.Text.RegularExpressions;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>Every example of a configuration in the documents starts an application: it is bound and validated as at a start.</summary>
public sealed partial class DocumentedConfigurationTests
{
    /// <summary>The document, the heading above the example, and the example as JSON.</summary>
    public static TheoryData<string, string, string> Examples
    {
        get
        {
            var data = new TheoryData<string, string, string>();
            foreach (string document in (string[])["connecting.md", "discovery.md", "registration.md"])
            {
                string text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, document));
                foreach (Match block in Block().Matches(text).Where(static block => block.Value.Contains("Memcached", StringComparison.Ordinal)))
                {
                    string heading = Heading().Matches(text[..block.Index])[^1].Value;
                    data.Add(document, heading, block.Groups["json"].Success ? block.Groups["json"].Value : FromEnvironment(block.Value));
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void An_example_is_a_valid_configuration(string document, string heading, string json)
    {
        using var certificates = new TestCertificates();
        TestCertificates.Issued client = certificates.Issue("client");
        File.WriteAllText(certificates.PathOf("password"), "word\n");
        string local = CaFile().Replace(json, $"$1{certificates.CaFile}\"");
        local = local
            .Replace("/etc/memcached-tls/tls.crt", client.CertificateFile, StringComparison.Ordinal)
            .Replace("/etc/memcached-tls/tls.key", client.KeyFile, StringComparison.Ordinal)
            .Replace("/run/secrets/memcached-password", certificates.PathOf("password"), StringComparison.Ordinal);
        IConfigurationRoot configuration = new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(local))).Build();
        using ServiceProvider provider = new ServiceCollection()
            .AddMemcachedHybridCache(configuration.GetSection("Memcached"))
            .BuildServiceProvider();
        MemcachedCacheOptions options = provider.GetRequiredService<IOptions<MemcachedCacheOptions>>().Value;
        Assert.True(options.Servers.Count != 0 || options.Discovery is not null, $"{document}, {heading}: it names servers");
    }

    [Fact]
    public void The_examples_show_each_way_to_connect()
    {
        string all = string.Join('\n', Examples.Select(static row => (string)row[2]));
        Assert.All(
            (string[])["unix:", "\"Enabled\": true", "CertificateFile", "PasswordFile", "Discovery\": \"_", ".cfg.", "Shared", "Classic", "addresses=each"],
            word => Assert.Contains(word, all, StringComparison.Ordinal));
    }

    /// <summary>The variables of a container, as the configuration of .NET reads them.</summary>
    private static string FromEnvironment(string yaml)
    {
        IEnumerable<string> pairs = Variable().Matches(yaml).Select(static pair => $"\"{pair.Groups[1].Value.Replace("__", ":", StringComparison.Ordinal)}\": \"{pair.Groups[2].Value}\"");
        return $"{{ {string.Join(", ", pairs)} }}";
    }

    [GeneratedRegex(@"```json\n(?<json>.*?)```|```yaml\n.*?```", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Block();

    [GeneratedRegex("^#+ .*$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("(CaFile\": \")[^\"]*\"")]
    private static partial Regex CaFile();

    [GeneratedRegex("name: ([A-Za-z_0-9]+), value: \"?([^\" }]+)\"? }")]
    private static partial Regex Variable();
}
