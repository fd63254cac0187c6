namespace MemcachedDistributedCache.Connections;

/// <summary>
/// One task that runs while there is something to do: a wake-up either finds it running or starts it, and none is lost.
/// The task has no ambient context, since whoever wakes it is a caller like any other.
/// </summary>
/// <param name="hasWork">Asked under the loop's lock, so it must not wake the loop.</param>
/// <param name="step">Does one piece of the work. If it throws it is called again, after a pause.</param>
/// <param name="stop">Ends the loop for ever.</param>
internal sealed class BackgroundLoop(Func<bool> hasWork, Func<Task> step, CancellationToken stop)
{
    /// <summary>The pause after a step that has thrown.</summary>
    private static readonly TimeSpan PauseAfterFault = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private bool _isRunning;

    /// <summary>The task is at work, and looks for work once more before it ends.</summary>
    public bool IsRunning
    {
        get
        {
            lock (_lock)
            {
                return _isRunning;
            }
        }
    }

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
                try
                {
                    await step().ConfigureAwait(false);
                }
                catch (Exception) when (!stop.IsCancellationRequested)
                {
                    // Such as no thread to be had. What the loop does is needed all the same, and is tried again.
                    await Task.Delay(PauseAfterFault, TimeProvider.System, stop).ConfigureAwait(false);
                }
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
