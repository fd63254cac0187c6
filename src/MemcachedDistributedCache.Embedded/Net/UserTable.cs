using System.Text;

namespace MemcachedDistributedCache.Embedded.Net;

/// <summary>The users that clients authenticate as, and how often they tried. Thread-safe.</summary>
internal sealed class UserTable(IEnumerable<KeyValuePair<string, string>> users)
{
    private readonly (byte[] Name, byte[] Password)[] _users =
        [.. users.Select(static user => (Encoding.UTF8.GetBytes(user.Key), Encoding.UTF8.GetBytes(user.Value)))];

    private long _attempts;
    private long _failures;

    /// <summary>Clients must authenticate before anything else.</summary>
    public bool AreAsked => _users.Length != 0;

    public long Attempts => Interlocked.Read(ref _attempts);

    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>The user has this password; counted.</summary>
    public bool TryAuthenticate(ReadOnlySpan<byte> name, ReadOnlySpan<byte> password)
    {
        Interlocked.Increment(ref _attempts);
        foreach ((byte[] user, byte[] word) in _users)
        {
            if (name.SequenceEqual(user) && password.SequenceEqual(word))
            {
                return true;
            }
        }

        Interlocked.Increment(ref _failures);
        return false;
    }
}
