using System.Buffers;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>A reply reader of a connection whose server is asked by classic commands, fed by hand.</summary>
internal sealed class ClassicReaderRig : IDisposable
{
    /// <summary>The client flags of what requests store.</summary>
    public const uint OwnFlags = 77;

    private readonly ReaderRig _rig = new();
    private long _sequence;

    public ClassicReaderRig() => _rig.Reader.Begin(new Handshake(MemcachedProtocol.Classic));

    public FakeOwner Owner => _rig.Owner;

    public int Barriers => _rig.Barriers;

    public PendingQueue Queue => _rig.Queue;

    public ReplyReader Reader => _rig.Reader;

    /// <summary>Asks for <c>key</c>, by a request of a kind as the client makes it.</summary>
    public ValueTask<OperationResult> Ask(string request, string key = "key")
    {
        WireKey wireKey = WireKey.Of(System.Text.Encoding.ASCII.GetBytes(key));
        return request switch
        {
            "Lease" => Ask(new LeaseRequest(wireKey, 10, withValue: true, OwnFlags)),
            "LeaseOnly" => Ask(new LeaseRequest(wireKey, 10, withValue: false, OwnFlags)),
            "Store" => Ask(new StoreRequest(wireKey, default, default, 10, 0)),
            "Add" => Ask(new StoreRequest(wireKey, default, default, 10, 0, new(0, true, false))),
            "Over" => Ask(new StoreRequest(wireKey, default, default, 10, 0, new(5, false, false))),
            "Renew" => Ask(new StoreRequest(wireKey, default, default, 10, OwnFlags, new(5, false, true))),
            "Mark" => Ask(new StoreRequest(wireKey, default, new ReadOnlySequence<byte>("abc"u8.ToArray()), 10, OwnFlags, new(5, false, true))),
            "Expire" => Ask(new ConditionalDeleteRequest(wireKey, 5)),
            _ => Ask(new KeyRequest(Enum.Parse<OperationKind>(request), wireKey, 10)),
        };
    }

    public ValueTask<OperationResult> Ask<TRequest>(scoped in TRequest request)
        where TRequest : struct, IRequest, allows ref struct
    {
        PendingOperation operation = PendingOperation.Rent(Queue, request.Kind, ValueTarget.OwnArray, CallMode.Async, 0);
        operation.Sequence = ++_sequence;
        operation.ChangedKey = request.ChangedKey;
        operation.Expect(request.Expectation);
        Queue.Enqueue_NeedsLock(operation);
        return operation.AsValueTask(CancellationToken.None);
    }

    public string? Feed(string text, int step = int.MaxValue) => _rig.Feed(text, step);

    public void End() => _rig.End();

    public void Dispose() => _rig.Dispose();
}
