using System.Text;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// The user and the password of a cluster. No record: neither is in any text. A password in a file is read for each new connection,
/// so that one that is replaced is taken. A file that cannot be used, as in the middle of a replacement, leaves the password that was
/// read before in force. Thread-safe.
/// </summary>
/// <param name="userName">The user.</param>
/// <param name="password">The password; null where it is in a file.</param>
/// <param name="passwordFile">A file that holds the password alone, with or without a line end.</param>
internal sealed class Credentials(string userName, string? password, string? passwordFile)
{
    /// <summary>
    /// memcached takes what it reads apart at spaces and line ends, and its file at the colon behind the user. Its lines have 256
    /// bytes.
    /// </summary>
    private const int LongestPair = 254;

    private string? _lastGood;
    private int _isRefused;

    /// <summary>Told of a file that cannot be used while an earlier password is in force, once until the file can be used again.</summary>
    public Action<string>? Refused { get; set; }

    /// <summary>The user.</summary>
    public string UserName => userName;

    /// <summary>Gives the password; false with the option and the remedy where there is none that can be sent.</summary>
    public bool TryGetPassword(out string current, out string? error)
    {
        if (TryReadPassword(out current, out error))
        {
            Volatile.Write(ref _lastGood, current);
            Volatile.Write(ref _isRefused, 0);
            return true;
        }

        if (Volatile.Read(ref _lastGood) is not { } last)
        {
            return false;
        }

        if (Interlocked.Exchange(ref _isRefused, 1) == 0)
        {
            Refused?.Invoke(error!);
        }

        (current, error) = (last, null);
        return true;
    }

    private bool TryReadPassword(out string current, out string? error)
    {
        string option = passwordFile is null ? "Password" : "PasswordFile";
        current = password ?? "";
        error = null;
        if (passwordFile is not null)
        {
            try
            {
                current = File.ReadAllText(passwordFile).TrimEnd('\r', '\n');
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                error = $"PasswordFile is '{passwordFile}', which cannot be read: {exception.Message}";
                return false;
            }
        }

        error = current.Length == 0 ? $"{option} has no password"
            : current.Any(static letter => char.IsWhiteSpace(letter) || char.IsControl(letter))
                ? $"{option} has a password with spaces or control characters, which memcached -Y does not take"
            : Encoding.UTF8.GetByteCount(userName) + Encoding.UTF8.GetByteCount(current) > LongestPair
                ? $"UserName and the password of {option} have more than {LongestPair} bytes together, which memcached -Y does not take"
            : null;
        return error is null;
    }
}
