using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>An operation on many keys.</summary>
internal interface IManyCalls
{
    /// <summary>How many keys there are.</summary>
    int Count { get; }

    /// <summary>Makes the call for a key. It is asked once for each, in order; the call's memory stays as it is until <see cref="Done"/>.</summary>
    ClientCall Begin(int index);

    /// <summary>Takes the result of a key. Called once for each that has begun.</summary>
    void Done(int index, in ClientCall call, in OperationResult result);
}

/// <summary>
/// Runs operations on many keys: what goes to one server goes out in one send, in windows that leave room in its queue for others.
/// Results are awaited one after the other; by the time that the first has come most of them have, so that few waits are real ones.
/// What failed in passing is tried again when the window has been answered, all at once, so that the time limits hold for the whole.
/// </summary>
/// <param name="calls">Sends.</param>
/// <param name="settings">What the options say.</param>
internal sealed class ManyCalls(ClientCalls calls, ClientSettings settings)
{
    private const int MostCalls = 1000;
    private const int MostBytes = 4 * 1024 * 1024;

    /// <summary>Of what a connection takes a window fills no more than this part.</summary>
    private const int Share = 4;

    private readonly int _window = Math.Clamp(settings.MaximumPendingOperations / Share, 1, MostCalls);
    private readonly int _windowBytes = Math.Min(settings.MaximumBufferedBytes / Share, MostBytes);

    /// <summary>The keys of a caller.</summary>
    public static T[] ArrayOf<T>(IEnumerable<T> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return [.. keys];
    }

    /// <summary>
    /// Runs all. The first exception, which a caller's key, serializer or cancellation may be, is thrown when nothing is under way any more.
    /// </summary>
    public async Task RunAsync(IManyCalls many)
    {
        calls.ThrowIfUnusable(CancellationToken.None);
        Pending[] pending = ArrayPool<Pending>.Shared.Rent(Math.Min(many.Count, _window));
        try
        {
            for (int start = 0; start < many.Count;)
            {
                int begun = Begin(many, start, pending, out Exception? failure);
                int sent = Send(pending, begun, ref failure);
                for (int i = sent; i < begun; i++)
                {
                    many.Done(start + i, pending[i].Call, OperationResult.Of(ResultStatus.Miss));
                }

                failure = await EndAsync(many, start, pending, sent, failure).ConfigureAwait(false);
                if (failure is not null)
                {
                    ExceptionDispatchInfo.Throw(failure);
                }

                start += sent;
            }
        }
        finally
        {
            ArrayPool<Pending>.Shared.Return(pending, clearArray: true);
        }
    }

    /// <summary>Reads many values, and gives each as soon as it has come. No more than a window of them is held.</summary>
    public async IAsyncEnumerable<KeyValuePair<MemcachedKey, MemcachedResult<T>>> StreamAsync<T>(
        MemcachedKey[] keys,
        ClientResults results,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        calls.ThrowIfUnusable(cancellationToken);
        var many = new ManyReads<T>(keys, results, cancellationToken);
        Pending[] pending = new Pending[Math.Min(keys.Length, _window)];
        for (int start = 0; start < keys.Length;)
        {
            Channel<(int Index, Exception? Failure)> ended = Channel.CreateUnbounded<(int, Exception?)>(new UnboundedChannelOptions { SingleReader = true });
            int sent = Send(pending, Begin(many, start, pending, out Exception? failure), ref failure);
            for (int i = 0; i < sent; i++)
            {
                _ = TellAsync(many, start + i, pending[i], ended.Writer);
            }

            for (int i = 0; i < sent; i++)
            {
                (int index, Exception? failed) = await ended.Reader.ReadAsync(CancellationToken.None).ConfigureAwait(false);
                failure ??= failed;
                if (failure is null)
                {
                    yield return KeyValuePair.Create(keys[index], many.Take(index));
                }
            }

            if (failure is not null)
            {
                ExceptionDispatchInfo.Throw(failure);
            }

            start += sent;
        }
    }

    /// <summary>Makes the calls of a window, before anything is held back for one send: a serializer is the caller's code.</summary>
    private int Begin(IManyCalls many, int start, Pending[] pending, out Exception? failure)
    {
        failure = null;
        int count = Math.Min(Math.Min(pending.Length, _window), many.Count - start);
        int begun = 0;
        for (long bytes = 0; begun < count && bytes < _windowBytes; begun++)
        {
            try
            {
                pending[begun] = new Pending(many.Begin(start + begun), default);
                bytes += pending[begun].Call.Value.Length;
            }
            catch (Exception exception)
            {
                failure = exception;
                break;
            }
        }

        return begun;
    }

    /// <summary>Sends the calls of a window; those behind one that cannot be sent are not.</summary>
    private int Send(Pending[] pending, int begun, ref Exception? failure)
    {
        int sent = 0;
        using ClusterBatch batch = calls.Cluster.BeginBatch();
        for (; sent < begun; sent++)
        {
            try
            {
                pending[sent] = new Pending(pending[sent].Call, calls.Send(pending[sent].Call));
            }
            catch (Exception exception)
            {
                failure ??= exception;
                break;
            }
        }

        return sent;
    }

    private async ValueTask<Exception?> EndAsync(IManyCalls many, int start, Pending[] pending, int sent, Exception? failure)
    {
        List<(int Index, Task<OperationResult> Result)>? again = null;
        for (int i = 0; i < sent; i++)
        {
            OperationResult result = await pending[i].Result.ConfigureAwait(false);
            if (result.Status == ResultStatus.Failed)
            {
                (again ??= []).Add((i, calls.FinishAsync(new ValueTask<OperationResult>(result), pending[i].Call).AsTask()));
            }
            else
            {
                failure = End(many, start + i, pending[i].Call, result, failure);
            }
        }

        foreach ((int index, Task<OperationResult> result) in again ?? [])
        {
            failure = End(many, start + index, pending[index].Call, await result.ConfigureAwait(false), failure);
        }

        return failure;
    }

    private static Exception? End(IManyCalls many, int index, in ClientCall call, in OperationResult result, Exception? failure)
    {
        try
        {
            many.Done(index, call, result);
            return failure;
        }
        catch (Exception exception)
        {
            return failure ?? exception;
        }
    }

    private async Task TellAsync<T>(ManyReads<T> many, int index, Pending pending, ChannelWriter<(int Index, Exception? Failure)> ended)
    {
        Exception? failure = null;
        try
        {
            many.Done(index, pending.Call, await calls.FinishAsync(pending.Result, pending.Call).ConfigureAwait(false));
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        ended.TryWrite((index, failure));
    }

    /// <summary>A request under way.</summary>
    private readonly record struct Pending(ClientCall Call, ValueTask<OperationResult> Result);
}
