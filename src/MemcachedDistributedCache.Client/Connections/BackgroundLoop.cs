namespace MemcachedDistributedCache.Connections;

/// <summary>
/// One task that runs while there is something to do: a wake-up either finds it running or starts it, and none is lost. The task has no ambient context, since
/// whoever wakes it is a caller like any other.
/// </summary>
/// <param name="hasWork">Asked under the loop's lock, so it must not wake the loop.</param>
/// <param name="step">Does one piece of the work. Its exceptions are its own, but for the end by <paramref name="stop"/>.</param>
/// <param name="stop">Ends the loop for ever.</param>
internal sealed class BackgroundLoop(Func<bool> hasWork, Func<Task> step, CancellationToken stop)
{
    private readonly Lock _lock = new();
    private bool _isRunning;

    /// <summary>The task is at work.</summary>
    public bool IsRunning => Volatile.Read(ref _isRunning);

    /// <summary>There may be something to do.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            if (_isRunning || stop.IsCancellationRequested || !hasWork())
            {
                return;
            }

            _isRunning = true;
        }

        using (FlowGuard.Suppress())
        {
            _ = Task.Run(RunAsync, CancellationToken.None);
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (GoesOn())
            {
                await step().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Nobody needs what the loop does any more.
        }
    }

    private bool GoesOn()
    {
        lock (_lock)
        {
            _isRunning = !stop.IsCancellationRequested && hasWork();
            return _isRunning;
        }
    }
}
