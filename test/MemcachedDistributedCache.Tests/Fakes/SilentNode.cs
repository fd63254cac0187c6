using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>A node that is not up, so that nothing is asked of it.</summary>
internal sealed class SilentNode : INodeChannel
{
    public bool IsUp => false;

    public string? ServerVersion => null;

    public bool KeepsCas => true;

    public Task<ulong?> ProbeAsync() => throw new InvalidOperationException("The node is not up.");

    public Task<OperationResult> DeleteAsync(byte[] key) => throw new InvalidOperationException("The node is not up.");

    public Task<ServerStatistics?> GetStatisticsAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("The node is not up.");

    /// <summary>The fences of such a node.</summary>
    public static FenceKeeper Fences()
    {
        var settings = new ConsistencySettings
        {
            TimeProvider = new ManualTimeProvider(),
            OperationTimeout = TimeSpan.FromSeconds(1),
            RetryPause = TimeSpan.FromSeconds(1),
            MaximumUncertainKeys = 2,
        };
        return new FenceKeeper(new SilentNode(), settings, new NodeCounters("mc1:11211"), NullLogger.Instance, CancellationToken.None);
    }
}
