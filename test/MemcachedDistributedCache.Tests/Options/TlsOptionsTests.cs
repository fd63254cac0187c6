using System.Security.Authentication;
using MemcachedDistributedCache.Options;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>What is wrong with the options of encrypted connections ends the start, and names the option and the remedy.</summary>
public sealed class TlsOptionsTests : IDisposable
{
    private readonly string _text = Path.GetTempFileName();

    public void Dispose() => File.Delete(_text);

    [Fact]
    public void Options_without_Enabled_are_refused_because_nothing_would_be_encrypted()
    {
        AssertRefused(static tls => tls.CaFile = "/x", "Tls:Enabled is false, and Tls:CaFile set", "Set Tls:Enabled to true");
        AssertRefused(static tls => tls.ConfigureAuthentication(static _ => { }), "Tls.ConfigureAuthentication was called", "Set Tls:Enabled to true");
        OptionsGuard.ThrowIfInvalid(new MemcachedCacheOptions { Servers = ["mc1"] });
        OptionsGuard.ThrowIfInvalid(new MemcachedCacheOptions { Servers = ["mc1"], Tls = { Enabled = true } });
    }

    [Fact]
    public void Files_that_cannot_be_used_are_named()
    {
        File.WriteAllText(_text, "no certificate");
        AssertRefused(static tls => Enable(tls).CaFile = "/nowhere/ca.pem", "Tls:CaFile is '/nowhere/ca.pem', which cannot be read", "Correct the path");
        AssertRefused(tls => Enable(tls).CaFile = _text, $"Tls:CaFile is '{_text}', which holds no certificate in PEM", "Correct the path");
        AssertRefused(tls => Enable(tls).CertificateFile = _text, $"Tls:CertificateFile is '{_text}', which hold no certificate with its private key", "Tls:KeyPassword");
        AssertRefused(tls => Enable(tls).KeyFile = _text, "Tls:KeyFile or Tls:KeyPassword is set without Tls:CertificateFile", "name the file");
    }

    [Fact]
    public void A_password_is_in_no_message()
    {
        File.WriteAllText(_text, "no certificate");
        OptionsValidationException thrown = Refused(tls => (Enable(tls).CertificateFile, tls.KeyPassword) = (_text, "geheim"));
        Assert.DoesNotContain("geheim", thrown.ToString(), StringComparison.Ordinal);
        AssertRefused(static tls => Enable(tls).KeyPassword = "  ", "KeyPassword is blank", "give it a value");
    }

    [Fact]
    public void Old_protocols_and_null_are_refused()
    {
#pragma warning disable CA5397, CS0618, SYSLIB0039 // They are what is refused.
        AssertRefused(static tls => Enable(tls).Protocols = SslProtocols.Tls11 | SslProtocols.Tls12, "Protocols is Tls11, Tls12", "set it to Tls12, to Tls13");
#pragma warning restore CA5397, CS0618, SYSLIB0039
        Assert.Contains(
            "Tls is null",
            Assert.Single(Assert.Throws<OptionsValidationException>(static () =>
                OptionsGuard.ThrowIfInvalid(new MemcachedCacheOptions { Servers = ["mc1"], Tls = null! })).Failures),
            StringComparison.Ordinal);
    }

    private static MemcachedTlsOptions Enable(MemcachedTlsOptions tls)
    {
        tls.Enabled = true;
        return tls;
    }

    private static OptionsValidationException Refused(Action<MemcachedTlsOptions> configure)
    {
        var options = new MemcachedCacheOptions { Servers = ["mc1"] };
        configure(options.Tls);
        return Assert.Throws<OptionsValidationException>(() => OptionsGuard.ThrowIfInvalid(options));
    }

    private static void AssertRefused(Action<MemcachedTlsOptions> configure, string cause, string remedy)
    {
        string message = Refused(configure).Message;
        Assert.Contains(cause, message, StringComparison.Ordinal);
        Assert.Contains(remedy, message, StringComparison.Ordinal);
    }
}
