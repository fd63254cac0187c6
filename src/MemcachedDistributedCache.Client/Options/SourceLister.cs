using System.Globalization;
using MemcachedDistributedCache.Cluster;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// Asks the application's own source of servers. That is code which may throw, hang or tell anything; the thread that
/// asks is the cluster's own.
/// </summary>
internal sealed class SourceLister(IMemcachedServerSource source, TimeSpan limit, TimeProvider time) : IServerLister
{
    private Task<IReadOnlyList<string>>? _asked;

    /// <inheritdoc/>
    public string Name => source.Name;

    /// <inheritdoc/>
    public ServerList Ask(Action changed, CancellationToken stop)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        try
        {
            if (_asked is null or { IsCompleted: true })
            {
                _asked = source.GetServersAsync(changed, end.Token).AsTask();
            }

            return Read(_asked.WaitAsync(limit, time, stop).GetAwaiter().GetResult());
        }
        catch (TimeoutException) when (_asked is { IsCompleted: false })
        {
            return ServerList.Failed(string.Create(CultureInfo.InvariantCulture, $"no answer within {limit.TotalSeconds} s"));
        }
        catch (Exception exception)
        {
            return ServerList.Failed(exception.Message);
        }
        finally
        {
            end.Cancel();
        }
    }

    private static ServerList Read(IReadOnlyList<string>? told)
    {
        if (told is not { Count: > 0 and <= ServerList.Most })
        {
            return ServerList.Failed($"it names {told?.Count ?? 0} servers, and 1 to {ServerList.Most} can be");
        }

        var servers = new List<ServerSpec>(told.Count);
        foreach (string text in told)
        {
            if (!ServerSpec.TryParse(text, out ServerSpec? server, out string? error))
            {
                return ServerList.Failed($"it names the server '{text.Split(';')[0]}': {error}");
            }

            if (server.IsEachAddress || server.Discovers != DiscoveryKind.None)
            {
                return ServerList.Failed($"it names '{server.Address}' with 'addresses=each' or 'discover=', and that is not one server");
            }

            servers.Add(server);
        }

        return new ServerList(servers);
    }
}
