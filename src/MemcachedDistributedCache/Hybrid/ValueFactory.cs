using System.Runtime.InteropServices;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// A caller's factory with its state, whichever of the two forms it was given in. All that runs factories takes this one shape, so
/// that a further argument for factories is added here and nowhere else. A caller who wants no value made may give no factory.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct ValueFactory<TState, T>
{
    private readonly TState _state;
    private readonly Func<TState, CancellationToken, ValueTask<T>>? _plain;
    private readonly Func<TState, HybridCacheEntryContext, CancellationToken, ValueTask<T>>? _choosing;

    public ValueFactory(TState state, Func<TState, CancellationToken, ValueTask<T>>? factory)
    {
        _state = state;
        _plain = factory;
    }

    public ValueFactory(TState state, Func<TState, HybridCacheEntryContext, CancellationToken, ValueTask<T>>? factory)
    {
        _state = state;
        _choosing = factory;
    }

    /// <summary>The delegate that the caller gave; null where no value is to be made.</summary>
    public Delegate? Delegate => (Delegate?)_plain ?? _choosing;

    /// <summary>The context for one run; null for a factory that takes none, which is spared the object.</summary>
    public HybridCacheEntryContext? NewContext(in CallOptions options) => _choosing is null ? null : options.NewContext();

    /// <summary>Runs the factory.</summary>
    /// <param name="context">What <see cref="NewContext"/> gave for this run.</param>
    /// <param name="cancellationToken">Cancelled when nobody wants the value.</param>
    public ValueTask<T> InvokeAsync(HybridCacheEntryContext? context, CancellationToken cancellationToken)
        => _choosing is null ? _plain!(_state, cancellationToken) : _choosing(_state, context!, cancellationToken);
}

/// <summary>Makes <see cref="ValueFactory{TState, T}"/> without its types being written out.</summary>
internal static class ValueFactory
{
    public static ValueFactory<TState, T> Of<TState, T>(TState state, Func<TState, CancellationToken, ValueTask<T>>? factory)
        => new(state, factory);
}
