using System.Net;
using System.Net.Security;
using System.Text;

namespace MemcachedDistributedCache.Embedded;

/// <summary>Settings of an <see cref="EmbeddedMemcached"/>; checked when it starts.</summary>
public sealed class EmbeddedMemcachedOptions
{
    private const int MostNodes = 256;
    private const int SmallestItemLimit = 1024;
    private const int LargestItemLimit = 1024 * 1024 * 1024;
    private const int LongestPair = 254;

    /// <summary>How many servers. Default 1 (3 with <c>AddEmbeddedMemcached</c>); 1 to 256.</summary>
    public int Nodes { get; set; } = 1;

    /// <summary>The address to listen on. Default 127.0.0.1, so that nothing outside this machine can connect.</summary>
    public IPAddress Address { get; set; } = IPAddress.Loopback;

    /// <summary>The first server's port; the others take the ports that follow. Default 0: each takes any free port. 0 to 65535.</summary>
    public int Port { get; set; }

    /// <summary>
    /// The memory of each server, in bytes, counted as memcached counts items: header and key included, and items that
    /// are still arriving. Beyond it the least recently used item goes. Default 64 MiB; at least twice
    /// <see cref="MaximumItemBytes"/>.
    /// </summary>
    public long MemoryLimitBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// The largest item, in bytes, with its header (about 57 bytes) and key: memcached's <c>-I</c>. Default 1 MiB; 1
    /// KiB to 1 GiB.
    /// </summary>
    public int MaximumItemBytes { get; set; } = 1024 * 1024;

    /// <summary>
    /// How many clients each server takes; the next one is told so and closed: memcached's <c>-c</c>. Default 1024; at
    /// least 1.
    /// </summary>
    public int MaximumConnections { get; set; } = 1024;

    /// <summary>
    /// With true a full server refuses new items instead of evicting the least recently used: memcached's <c>-M</c>.
    /// Default false.
    /// </summary>
    public bool DisableEvictions { get; set; }

    /// <summary>
    /// The certificate and the other options of TLS, with which every client must begin then: memcached's <c>-Z</c>. Default
    /// null: no TLS. Not copied.
    /// </summary>
    public SslServerAuthenticationOptions? Tls { get; set; }

    /// <summary>
    /// The users, with their passwords, of which a client must name one before anything else: memcached's <c>-Y</c>. Default empty:
    /// nobody is asked. Names and passwords have 1 to 254 bytes together, no spaces and no control characters; a name has no colon.
    /// </summary>
    public IDictionary<string, string> Users { get; private set; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The clock that items expire by. Default the system's; a test may pass one that it moves.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>
    /// The release of memcached that is imitated. Default 1.6.18. An older one shows how a client fares that finds no
    /// meta commands.
    /// </summary>
    public EmbeddedMemcachedRelease Release { get; set; } = EmbeddedMemcachedRelease.Release1618;

    internal EmbeddedMemcachedOptions Copy()
    {
        var copy = (EmbeddedMemcachedOptions)MemberwiseClone();
        copy.Users = new Dictionary<string, string>(Users, StringComparer.Ordinal);
        return copy;
    }

    internal void Validate()
    {
        Require(Nodes is >= 1 and <= MostNodes, nameof(Nodes), Nodes, $"use 1 to {MostNodes}");
        Require(Address is not null, nameof(Address), "null", "use IPAddress.Loopback, or another address of this machine");
        Require(Port is >= 0 and <= ushort.MaxValue, nameof(Port), Port, "use 0 for any free port, or 1 to 65535");
        Require(
            Port == 0 || Port + Nodes - 1 <= ushort.MaxValue,
            nameof(Port),
            Port,
            $"{Nodes} nodes take consecutive ports, which would end above 65535: use a lower port, or 0");
        Require(
            MaximumItemBytes is >= SmallestItemLimit and <= LargestItemLimit,
            nameof(MaximumItemBytes),
            MaximumItemBytes,
            $"use {SmallestItemLimit} (1 KiB) to {LargestItemLimit} (1 GiB)");
        Require(
            MemoryLimitBytes / 2 >= MaximumItemBytes,
            nameof(MemoryLimitBytes),
            MemoryLimitBytes,
            $"use at least twice {nameof(MaximumItemBytes)} ({MaximumItemBytes}), or lower that");
        Require(MaximumConnections >= 1, nameof(MaximumConnections), MaximumConnections, "use at least 1");
        foreach ((string name, string password) in Users)
        {
            // The password is in no message.
            bool isWord = name.Length != 0 && !name.Any(static letter => letter == ':' || char.IsWhiteSpace(letter) || char.IsControl(letter));
            Require(isWord, nameof(Users), $"a user '{name}'", "name it by 1 or more characters without spaces, control characters and ':'");
            bool isPassword = password is { Length: > 0 } && !password.Any(static letter => char.IsWhiteSpace(letter) || char.IsControl(letter));
            Require(isPassword, nameof(Users), $"a user '{name}' with an unusable password", "give it 1 or more characters without spaces and control characters");
            bool isShort = Encoding.UTF8.GetByteCount(name) + Encoding.UTF8.GetByteCount(password!) <= LongestPair;
            Require(isShort, nameof(Users), $"a user '{name}' with a long password", $"name and password have at most {LongestPair} bytes together");
        }

        string releases = string.Join(", ", Enum.GetNames<EmbeddedMemcachedRelease>());
        Require(Enum.IsDefined(Release), nameof(Release), Release, $"use one of {releases}");
        Require(TimeProvider is not null, nameof(TimeProvider), "null", "use TimeProvider.System, or a clock of the test's own");
    }

    private static void Require(bool holds, string option, object value, string remedy)
    {
        if (!holds)
        {
            throw new ArgumentException($"{nameof(EmbeddedMemcachedOptions)}.{option} is {value}: {remedy}.", option);
        }
    }
}
