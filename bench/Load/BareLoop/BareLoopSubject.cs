using System.Text;

namespace MemcachedDistributedCache.Load.Fence;

/// <summary>
/// The fastest loop that could be written: what it does, every client must. <paramref name="completeInline"/> runs callers on the read
/// loop, which no library can afford (a caller that blocks would stop everybody); that variant is shown and does not count.
/// </summary>
internal sealed class BareLoopSubject(
    string name,
    Way way,
    Flush flush,
    bool completeInline = false,
    BareLoopSubject? sharesConnectionsOf = null) : Subject(name, way)
{
    private readonly List<BareLoopConnection> _connections = sharesConnectionsOf?._connections ?? [];
    private byte[][] _keys = [];
    private byte[][] _values = [];

    /// <inheritdoc/>
    public override bool IsBareLoop => !completeInline;

    /// <inheritdoc/>
    public override async Task PrepareAsync(Workload workload, CancellationToken cancellationToken)
    {
        if (_connections.Count == 0)
        {
            foreach (string node in Way.Nodes)
            {
                _connections.Add(await BareLoopConnection.ConnectAsync(Way, node, flush));
            }
        }

        _keys = [.. workload.Keys(Name.Replace(' ', '-')).Select(Encoding.UTF8.GetBytes)];
        _values = workload.Values;
        var operation = new BareLoopOperation(completeInline);
        for (int key = 0; key < _keys.Length; key++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await Of(key).SetAsync(_keys[key], _values[key], operation);
        }
    }

    /// <inheritdoc/>
    public override async Task RunAsync(Caller caller)
    {
        var operation = new BareLoopOperation(completeInline);
        while (caller.Next(out int key, out bool isSet))
        {
            try
            {
                if (isSet)
                {
                    await Of(key).SetAsync(_keys[key], _values[key], operation);
                }
                else
                {
                    byte[]? value = await Of(key).GetAsync(_keys[key], operation);
                    caller.Check(key, value, value is not null);
                }
            }
            catch (Exception exception)
            {
                caller.Fail(exception);
            }

            caller.Done();
        }
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        if (sharesConnectionsOf is null)
        {
            _connections.ForEach(static connection => connection.Dispose());
        }

        return default;
    }

    private BareLoopConnection Of(int key) => _connections[key % _connections.Count];
}
