using System.Globalization;

namespace MemcachedDistributedCache.Worker;

/// <summary>One of several processes that want the same lock.</summary>
internal static class LockUser
{
    /// <summary>
    /// Takes the lock so many times, and each time makes a file that may not be there, and finds the last fencing number smaller than its own.
    /// </summary>
    public static async Task<int> RunAsync(string server, string space, int count, string folder)
    {
        await using var client = new MemcachedClient(new MemcachedClientOptions
        {
            Servers = [server],
            Namespace = space,
            OperationTimeout = TimeSpan.FromSeconds(10),
        });
        var locks = new MemcachedLock("workers", client, new MemcachedLockOptions { MaximumWaitPause = TimeSpan.FromMilliseconds(20) });
        string held = Path.Combine(folder, "held");
        string numbers = Path.Combine(folder, "numbers");
        for (int i = 0; i < count; i++)
        {
            // Every other time blocking: both ways must keep each other out.
            MemcachedLockHandle handle = i % 2 == 0 ? await locks.AcquireAsync(TimeSpan.FromMinutes(1)) : locks.Acquire(TimeSpan.FromMinutes(1));
            await using (handle)
            {
                await new FileStream(held, FileMode.CreateNew).DisposeAsync();
                string last = File.Exists(numbers) ? (await File.ReadAllLinesAsync(numbers))[^1] : "0";
                if (ulong.Parse(last, CultureInfo.InvariantCulture) >= handle.FencingToken || handle.HandleLostToken.IsCancellationRequested)
                {
                    await Console.Error.WriteLineAsync($"the number {handle.FencingToken} came after {last}");
                    return 1;
                }

                await File.AppendAllTextAsync(numbers, handle.FencingToken.ToString(CultureInfo.InvariantCulture) + "\n");
                File.Delete(held);
            }
        }

        return 0;
    }
}
