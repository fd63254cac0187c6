using System.Buffers;
using System.Diagnostics;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;
using Polly;

namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// Puts the application's own resilience pipeline around an <see cref="EntryStore"/>, which is to throw where a server
/// gives no answer, so that the pipeline sees it; and turns into what the application asked for whatever comes out.
/// </summary>
internal sealed class CustomPipelineEntryStore(EntryStore entries, ResiliencePipeline pipeline, MemcachedFailureMode failureMode) : IEntryStore
{
    /// <inheritdoc/>
    public ValueTask<byte[]?> GetAsync(string key, CallMode mode, CancellationToken cancellationToken)
        => RunAsync(
            static (call, token) => call.Entries.GetAsync(call.Key, call.Mode, token),
            new Call(entries, key, mode),
            isChange: false,
            cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> TryGetAsync(
        string key,
        IBufferWriter<byte> destination,
        CallMode mode,
        CancellationToken cancellationToken,
        Func<ReadOnlyMemory<byte>, bool>? check = null)
        => RunAsync(
            static (call, token) => call.Entries.TryGetAsync(call.Key, call.Destination!, call.Mode, token, call.Check),
            new Call(entries, key, mode) { Destination = destination, Check = check },
            isChange: false,
            cancellationToken);

    /// <inheritdoc/>
    public async ValueTask SetAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        CallMode mode,
        CancellationToken cancellationToken,
        Func<ReadOnlySequence<byte>>? again = null)
        => await RunAsync(
                static (call, token)
                    => Done(call.Entries.SetAsync(call.Key, call.Again?.Invoke() ?? call.Value, call.Options!, call.Mode, token, call.Again)),
                new Call(entries, key, mode)
                {
                    Value = value,
                    Options = options,
                    Again = again,
                },
                isChange: true,
                cancellationToken)
            .ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask<bool> AddAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        CallMode mode,
        CancellationToken cancellationToken)
        => RunAsync(
            static (call, token) => call.Entries.AddAsync(call.Key, call.Value, call.Options!, call.Mode, token),
            new Call(entries, key, mode) { Value = value, Options = options },
            isChange: true,
            cancellationToken);

    /// <inheritdoc/>
    public async ValueTask RefreshAsync(string key, CallMode mode, CancellationToken cancellationToken)
        => await RunAsync(
                static (call, token) => Done(call.Entries.RefreshAsync(call.Key, call.Mode, token)),
                new Call(entries, key, mode),
                isChange: false,
                cancellationToken)
            .ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask RemoveAsync(string key, CallMode mode, CancellationToken cancellationToken)
        => await RunAsync(
                static (call, token) => Done(call.Entries.RemoveAsync(call.Key, call.Mode, token)),
                new Call(entries, key, mode),
                isChange: true,
                cancellationToken)
            .ConfigureAwait(false);

    private static T Complete<T>(ValueTask<T> task)
    {
        Debug.Assert(task.IsCompleted, "a synchronous call is complete when it returns");
        return task.GetAwaiter().GetResult();
    }

    private static async ValueTask<bool> Done(ValueTask operation)
    {
        await operation.ConfigureAwait(false);
        return true;
    }

    private async ValueTask<T?> RunAsync<T>(
        Func<Call, CancellationToken, ValueTask<T>> operation,
        Call call,
        bool isChange,
        CancellationToken cancellationToken)
    {
        try
        {
            // The synchronous form keeps Polly's strategies off the thread pool as far as they can be.
            return call.Mode == CallMode.Sync
                ? pipeline.Execute(
                    static (state, token) => Complete(state.Operation(state.Call, token)),
                    (Operation: operation, Call: call),
                    cancellationToken)
                : await pipeline
                    .ExecuteAsync(
                        static (state, token) => state.Operation(state.Call, token),
                        (Operation: operation, Call: call),
                        cancellationToken)
                    .ConfigureAwait(false);
        }
        catch (ExecutionRejectedException)
        {
            if (isChange)
            {
                // Whether it was begun is the strategy's secret, so what is stored is not to be relied on.
                entries.RecordUncertain(call.Key, mayOvertakeRemoval: call.Mode == CallMode.Sync);
            }

            if (failureMode == MemcachedFailureMode.Throw)
            {
                throw;
            }
        }
        catch (MemcachedUnavailableException) when (failureMode == MemcachedFailureMode.Degrade)
        {
            // Counted where it happened.
        }

        return default;
    }

    private readonly record struct Call(EntryStore Entries, string Key, CallMode Mode)
    {
        public IBufferWriter<byte>? Destination { get; init; }

        public Func<ReadOnlyMemory<byte>, bool>? Check { get; init; }

        public ReadOnlySequence<byte> Value { get; init; }

        public DistributedCacheEntryOptions? Options { get; init; }

        public Func<ReadOnlySequence<byte>>? Again { get; init; }
    }
}
