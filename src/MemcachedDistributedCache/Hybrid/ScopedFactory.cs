using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>A factory that runs with the services of a scope of its own, which ends with the run.</summary>
/// <param name="Scopes">Makes the scope.</param>
/// <param name="State">What the factory needs besides.</param>
/// <param name="Factory">The factory.</param>
internal sealed record ScopedFactory<TState, T>(
    IServiceScopeFactory Scopes,
    TState State,
    Func<TState, IServiceProvider, CancellationToken, ValueTask<T>> Factory)
{
    public async ValueTask<T> RunAsync(CancellationToken cancellationToken)
    {
        AsyncServiceScope scope = Scopes.CreateAsyncScope();
        await using (scope.ConfigureAwait(false))
        {
            return await Factory(State, scope.ServiceProvider, cancellationToken).ConfigureAwait(false);
        }
    }
}

/// <summary>Makes such factories.</summary>
internal static class ScopedFactory
{
    public static ValueFactory<ScopedFactory<TState, T>, T> Of<TState, T>(
        IServiceScopeFactory scopes,
        TState state,
        Func<TState, IServiceProvider, CancellationToken, ValueTask<T>> factory)
        => ValueFactory.Of(new ScopedFactory<TState, T>(scopes, state, factory), static (run, token) => run.RunAsync(token));
}
