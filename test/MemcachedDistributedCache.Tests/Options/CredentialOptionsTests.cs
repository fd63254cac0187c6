using MemcachedDistributedCache.Options;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>Users and passwords that could never be right are refused at the start, and no message has the password.</summary>
public sealed class CredentialOptionsTests
{
    [Theory]
    [InlineData("user", null, null, "UserName is set without a password")]
    [InlineData(null, "secret", null, "Password or PasswordFile is set without UserName")]
    [InlineData(null, null, "/nowhere", "Password or PasswordFile is set without UserName")]
    [InlineData("user", "secret", "/nowhere", "Password and PasswordFile are both set")]
    [InlineData("us:er", "secret", null, "UserName has a space, a control character or a colon")]
    [InlineData("us er", "secret", null, "UserName has a space, a control character or a colon")]
    [InlineData("user", "secret word", null, "Password has a password with spaces or control characters")]
    [InlineData("user", "secret\r\nget x", null, "Password has a password with spaces or control characters")]
    [InlineData("user", null, "/nowhere/password", "PasswordFile is '/nowhere/password', which cannot be read")]
    [InlineData("user", "", null, "Password is blank; give it a value")]
    [InlineData("", "secret", null, "UserName is ''; give it a value")]
    public void What_cannot_be_right_is_refused(string? user, string? password, string? file, string expected)
    {
        var options = new MemcachedCacheOptions { Servers = ["mc1"], UserName = user, Password = password, PasswordFile = file };
        string message = Assert.Throws<OptionsValidationException>(() => OptionsGuard.ThrowIfInvalid(options)).ToString();
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_password_is_not_given_to_a_proxy()
    {
        var options = new MemcachedCacheOptions { Servers = ["mc1"], UserName = "user", Password = "secret", Topology = MemcachedTopology.Shared };
        Assert.Contains("UserName is set with Topology = Shared", Assert.Throws<OptionsValidationException>(() => new MemcachedCache(options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_only_DNS_tells_proves_no_server()
    {
        var options = new MemcachedCacheOptions { Discovery = "_memcached._tcp.mc", Tls = { Enabled = true } };
        Assert.Contains("set Tls:ServerName or Tls:CaFile", Assert.Throws<OptionsValidationException>(() => new MemcachedCache(options)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("_memcached._tcp.mc", "_memcached._tcp.mc")]
    [InlineData("localhost:11211", "localhost:11211")]
    public void Whoever_tells_the_servers_may_tell_any(string endpoint, string named)
        => Assert.StartsWith(named, Assert.Single(CredentialRules.ReadableAt(new MemcachedCacheOptions { Discovery = endpoint, UserName = "user", Password = "secret" })), StringComparison.Ordinal);

    [Fact]
    public void A_pair_that_memcached_cannot_hold_is_refused()
    {
        var options = new MemcachedCacheOptions { Servers = ["mc1"], UserName = "user", Password = new string('x', 250) };
        OptionsGuard.ThrowIfInvalid(options);
        options.Password += "x";
        Assert.Contains("more than 254 bytes", Assert.Throws<OptionsValidationException>(() => OptionsGuard.ThrowIfInvalid(options)).Message, StringComparison.Ordinal);
    }
}
