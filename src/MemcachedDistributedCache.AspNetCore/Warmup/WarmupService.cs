using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace MemcachedDistributedCache.AspNetCore.Warmup;

/// <summary>A warm-up, as the health check sees it.</summary>
internal abstract class WarmupService(WarmupProgress progress, int? maximumFailures) : BackgroundService
{
    public WarmupProgress Progress { get; } = progress;

    /// <summary>Given up, and nobody is to be sent here.</summary>
    public bool HasFailed => Progress.Stage == WarmupStage.GivenUp && MaximumFailures is not null;

    protected int? MaximumFailures { get; } = maximumFailures;
}

/// <summary>
/// Runs the application's function for each of the application's items. Whatever these throw ends here: a warm-up that fails is a cold
/// cache and no reason to end the host.
/// </summary>
internal sealed class WarmupService<TItem>(
    WarmupProgress progress,
    int parallelism,
    int? maximumFailures,
    IServiceProvider services,
    Func<IServiceProvider, CancellationToken, IAsyncEnumerable<TItem>> items,
    Func<TItem, IServiceProvider, CancellationToken, ValueTask> fill) : WarmupService(progress, maximumFailures)
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The start of the application does not wait for the code of the application that gives items.
        await Task.Yield();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        Progress.Start(parallelism);
        try
        {
            await FillAllAsync(ending).ConfigureAwait(false);
            Progress.End();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The application ends.
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            Progress.GiveUp($"more than MemcachedWarmupOptions.MaximumFailures, {MaximumFailures}, have failed", null);
        }
        catch (Exception exception)
        {
            Progress.GiveUp("its items could not be listed", exception);
        }
    }

    private async Task FillAllAsync(CancellationTokenSource ending)
    {
        AsyncServiceScope scope = services.CreateAsyncScope();
        await using (scope.ConfigureAwait(false))
        {
            await Parallel
                .ForEachAsync(
                    items(scope.ServiceProvider, ending.Token),
                    new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = ending.Token },
                    async (item, token) => await FillAsync(item, ending, token).ConfigureAwait(false))
                .ConfigureAwait(false);
        }
    }

    private async ValueTask FillAsync(TItem item, CancellationTokenSource ending, CancellationToken token)
    {
        try
        {
            AsyncServiceScope scope = services.CreateAsyncScope();
            await using (scope.ConfigureAwait(false))
            {
                await fill(item, scope.ServiceProvider, token).ConfigureAwait(false);
            }

            Progress.AddFilled();
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception)
        {
            if (Progress.AddFailed(exception) > MaximumFailures)
            {
                await ending.CancelAsync().ConfigureAwait(false);
            }
        }
    }
}
