using Medallion.Threading;

namespace MemcachedDistributedCache;

/// <summary>Makes locks by their names, on one client and with the same options.</summary>
public sealed class MemcachedDistributedSynchronizationProvider : IDistributedLockProvider
{
    private readonly IMemcachedClient _client;
    private readonly MemcachedLockOptions _options;

    /// <summary>Makes a provider.</summary>
    /// <param name="client">The client, as with <see cref="MemcachedLock(string, IMemcachedClient, MemcachedLockOptions?)"/>.</param>
    /// <param name="options">The options; they are copied. The defaults where there are none.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public MemcachedDistributedSynchronizationProvider(IMemcachedClient client, MemcachedLockOptions? options = null)
    {
        _client = MemcachedLock.OnOwnNodes(client);
        _options = (options ?? new MemcachedLockOptions()).Checked();
    }

    /// <summary>Makes a lock. Nothing is sent yet.</summary>
    /// <param name="name">Any text that is not empty.</param>
    /// <returns>The lock.</returns>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public MemcachedLock CreateLock(string name) => new(name, _client, _options, TimeProvider.System);

    IDistributedLock IDistributedLockProvider.CreateLock(string name) => CreateLock(name);
}
