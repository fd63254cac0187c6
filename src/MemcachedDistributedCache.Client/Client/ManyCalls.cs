using System.Buffers;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>An operation on many keys.</summary>
internal interface IManyCalls
{
    /// <summary>How many keys there are.</summary>
    int Count { get; }

    /// <summary>The call for a key. It is asked once for each, in order; its memory stays as it is until <see cref="Done"/>.</summary>
    ClientCall Begin(int index);

    /// <summary>Takes the result of a key. Called once for each that has begun.</summary>
    void Done(int index, in ClientCall call, in OperationResult result);
}

/// <summary>
/// Runs operations on many keys: what goes to one server goes out in one send, in windows that leave room in its queue for others.
/// Results are awaited one after the other; by the time that the first has come most of them have, so that few waits are real ones.
/// </summary>
/// <param name="calls">Sends.</param>
internal sealed class ManyCalls(ClientCalls calls)
{
    /// <summary>So many requests are under way at most.</summary>
    private const int Window = 1000;

    /// <summary>So many bytes are handed over to be sent at most before their answers are awaited.</summary>
    private const long WindowBytes = 4 * 1024 * 1024;

    /// <summary>The keys of a caller.</summary>
    public static T[] ArrayOf<T>(IEnumerable<T> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return [.. keys];
    }

    /// <summary>Runs all; the first exception, which a caller's key, serializer or cancellation may be, is thrown when nothing is under way any more.</summary>
    public async Task RunAsync(IManyCalls many)
    {
        int size = Math.Min(many.Count, Window);
        Pending[] pending = ArrayPool<Pending>.Shared.Rent(size);
        try
        {
            for (int start = 0; start < many.Count;)
            {
                int sent = Send(many, start, pending, size, out Exception? failure);
                for (int i = 0; i < sent; i++)
                {
                    failure = await EndAsync(many, start + i, pending[i]).ConfigureAwait(false) ?? failure;
                }

                if (failure is not null)
                {
                    throw failure;
                }

                start += sent;
            }
        }
        finally
        {
            ArrayPool<Pending>.Shared.Return(pending, clearArray: true);
        }
    }

    /// <summary>Reads many values, and gives each as soon as it has come.</summary>
    public async IAsyncEnumerable<KeyValuePair<MemcachedKey, MemcachedResult<T>>> StreamAsync<T>(
        MemcachedKey[] keys,
        ClientResults results,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var many = new ManyReads<T>(keys, results, cancellationToken);
        Pending[] pending = new Pending[Math.Min(keys.Length, Window)];
        for (int start = 0; start < keys.Length;)
        {
            Channel<int> ended = Channel.CreateUnbounded<int>(new UnboundedChannelOptions { SingleReader = true });
            int sent = Send(many, start, pending, pending.Length, out Exception? failure);
            for (int i = 0; i < sent; i++)
            {
                _ = TellAsync(many, start + i, pending[i], ended.Writer);
            }

            for (int i = 0; i < sent; i++)
            {
                int index = await ended.Reader.ReadAsync(CancellationToken.None).ConfigureAwait(false);
                if (failure is null && !cancellationToken.IsCancellationRequested)
                {
                    yield return KeyValuePair.Create(keys[index], many.Results[index]);
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (failure is not null)
            {
                throw failure;
            }

            start += sent;
        }
    }

    /// <summary>Sends a window; fewer than asked where its bytes are many, or where an exception ended it.</summary>
    private int Send(IManyCalls many, int start, Pending[] pending, int size, out Exception? failure)
    {
        failure = null;
        int count = Math.Min(size, many.Count - start);
        int sent = 0;
        using ClusterBatch batch = calls.Cluster.BeginBatch();
        for (long bytes = 0; sent < count && bytes < WindowBytes; sent++)
        {
            ClientCall call = default;
            try
            {
                call = many.Begin(start + sent);
                pending[sent] = new Pending(call, calls.Send(call));
                bytes += call.Value.Length;
            }
            catch (Exception exception)
            {
                many.Done(start + sent, call, OperationResult.Of(ResultStatus.Miss));
                failure = exception;
                break;
            }
        }

        return sent;
    }

    private async ValueTask<Exception?> EndAsync(IManyCalls many, int index, Pending pending)
    {
        OperationResult result = await calls.FinishAsync(pending.Result, pending.Call).ConfigureAwait(false);
        try
        {
            many.Done(index, pending.Call, result);
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    private async Task TellAsync(IManyCalls many, int index, Pending pending, ChannelWriter<int> ended)
    {
        await EndAsync(many, index, pending).ConfigureAwait(false);
        ended.TryWrite(index);
    }

    /// <summary>A request under way.</summary>
    private readonly record struct Pending(ClientCall Call, ValueTask<OperationResult> Result);
}
