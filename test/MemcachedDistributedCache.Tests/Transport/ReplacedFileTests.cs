using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Transport;

/// <summary>Files of certificates and passwords that are replaced while the application runs, or are away for a moment.</summary>
public sealed class ReplacedFileTests : IDisposable
{
    private const string Before = "127.0.0.1:1";
    private const string After = "127.0.0.1:2";

    private readonly TestCertificates _certificates = new();
    private readonly List<string> _told = [];

    public void Dispose() => _certificates.Dispose();

    [Fact]
    public void A_password_whose_file_is_away_stays_and_that_is_told_once_each_time()
    {
        string file = _certificates.PathOf("password");
        var credentials = new Credentials("user", null, file) { Refused = _told.Add };
        Assert.False(credentials.TryGetPassword(out _, out string? error));
        Assert.Contains("PasswordFile is", error, StringComparison.Ordinal);
        Assert.Empty(_told);
        for (int round = 1; round <= 2; round++)
        {
            File.WriteAllText(file, $"secret{round}\n");
            AssertPassword();
            File.Delete(file);
            AssertPassword();
            File.WriteAllText(file, "");
            AssertPassword();
            Assert.Equal(round, _told.Count);

            void AssertPassword()
            {
                Assert.True(credentials.TryGetPassword(out string password, out string? none));
                Assert.Equal(($"secret{round}", null), (password, none));
            }
        }

        Assert.All(_told, static told => Assert.Contains("which cannot be read", told, StringComparison.Ordinal));
        Assert.DoesNotContain(_told, static told => told.Contains("secret", StringComparison.Ordinal));
    }

    [Fact]
    public void Certificates_whose_files_are_away_stay_and_that_is_told_once_each_time()
    {
        TestCertificates.Issued issued = _certificates.Issue("client");
        var certificates = new TlsCertificates(_certificates.CaFile, issued.CertificateFile, issued.KeyFile, null) { Refused = _told.Add };
        for (int round = 1; round <= 2; round++)
        {
            _certificates.Issue("client");
            TlsCertificates.Set read = certificates.Read();
            File.Delete(issued.KeyFile);
            Assert.Same(read, certificates.Read());
            Assert.Same(read, certificates.Read());
            Assert.Equal(round, _told.Count);
            Assert.Contains("Tls:KeyFile is", _told[^1], StringComparison.Ordinal);
            _certificates.Issue("client");
            Assert.NotSame(read, certificates.Read());
        }
    }

    [Fact]
    public void A_mounted_secret_is_read_anew_when_its_link_leads_elsewhere()
    {
        // As Kubernetes mounts a secret: the files are links into a link that leads to a new folder then.
        string mount = _certificates.PathOf("mount");
        Directory.CreateDirectory(mount);
        Put("first");
        foreach (string file in new[] { "tls.crt", "tls.key" })
        {
            File.CreateSymbolicLink(Path.Combine(mount, file), Path.Combine("..data", file));
        }

        var certificates = new TlsCertificates(null, Path.Combine(mount, "tls.crt"), Path.Combine(mount, "tls.key"), null) { Refused = _told.Add };
        Assert.Equal("CN=first", certificates.Read().Client!.TargetCertificate.Subject);
        Put("second");
        Assert.Equal("CN=second", certificates.Read().Client!.TargetCertificate.Subject);
        Directory.Delete(Path.Combine(mount, "second"), recursive: true);
        Assert.Equal("CN=second", certificates.Read().Client!.TargetCertificate.Subject);
        Put("third");
        Assert.Equal("CN=third", certificates.Read().Client!.TargetCertificate.Subject);
        Assert.Single(_told);

        void Put(string name)
        {
            TestCertificates.Issued issued = _certificates.Issue(name);
            string folder = Directory.CreateDirectory(Path.Combine(mount, name)).FullName;
            File.Move(issued.CertificateFile, Path.Combine(folder, "tls.crt"));
            File.Move(issued.KeyFile, Path.Combine(folder, "tls.key"));
            string link = Path.Combine(mount, "..data");
            File.Delete(link);
            File.CreateSymbolicLink(link, name);
        }
    }

    [Theory]
    [InlineData("PasswordFile")]
    [InlineData("Tls:CaFile")]
    public async Task A_reload_is_followed_while_a_file_is_away(string option)
    {
        string file = option == "PasswordFile" ? _certificates.PathOf("password") : _certificates.CaFile;
        await File.AppendAllTextAsync(file, option == "PasswordFile" ? "secret" : "");
        var log = new RecordingLogger();
        IConfigurationRoot configuration = Configuration(option, file);
        await using ServiceProvider provider = Provider(configuration, log);
        MemcachedCache cache = provider.GetRequiredService<MemcachedCache>();
        File.Delete(file);
        configuration["Servers"] = After;
        configuration.Reload();
        Assert.Equal(After, Assert.Single(cache.GetNodes()).Server);
        Assert.Empty(log.Of(EventIds.ChangeRefused));

        // Another file is no file that could be used before.
        configuration[option] = file + ".other";
        configuration["Servers"] = Before;
        Assert.NotNull(Record.Exception(configuration.Reload));
        Assert.Equal(After, Assert.Single(cache.GetNodes()).Server);
    }

    [Theory]
    [InlineData("PasswordFile")]
    [InlineData("Tls:CaFile")]
    public async Task A_file_that_is_away_at_the_start_ends_the_start(string option)
    {
        await using ServiceProvider provider = Provider(Configuration(option, "/nowhere/file"), new RecordingLogger());
        OptionsValidationException thrown = Assert.Throws<OptionsValidationException>(provider.GetRequiredService<MemcachedCache>);
        Assert.Contains($"{option} is '/nowhere/file', which cannot be read", thrown.Message, StringComparison.Ordinal);
    }

    private static IConfigurationRoot Configuration(string option, string file)
        => new ConfigurationBuilder()
            .AddInMemoryCollection([
                KeyValuePair.Create("Servers", (string?)Before),
                KeyValuePair.Create(option == "PasswordFile" ? "UserName" : "Tls:Enabled", (string?)"true"),
                KeyValuePair.Create(option, (string?)file),
            ])
            .Build();

    private static ServiceProvider Provider(IConfiguration configuration, RecordingLogger log)
        => new ServiceCollection().AddSingleton<ILoggerFactory>(log).AddMemcachedDistributedCache(configuration).BuildServiceProvider();
}
