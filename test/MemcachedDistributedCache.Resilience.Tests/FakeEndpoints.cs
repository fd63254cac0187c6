using System.Diagnostics.CodeAnalysis;
using System.Net;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.ServiceDiscovery;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A registry of one service, which says what a test wants.</summary>
internal sealed class FakeEndpoints : IServiceEndpointProviderFactory, IServiceEndpointProvider
{
    private readonly Lock _lock = new();
    private CancellationTokenSource _change = new();
    private EndPoint[] _endpoints = [];
    private Exception? _error;

    /// <summary>Tells these from now on, and that there is a change.</summary>
    public void Tell(params EndPoint[] endpoints) => Change(endpoints, null);

    /// <summary>Fails from now on, and tells that there is a change.</summary>
    public void Fail(string message) => Change([], new TimeoutException(message));

    /// <inheritdoc/>
    public bool TryCreateProvider(ServiceEndpointQuery query, [NotNullWhen(true)] out IServiceEndpointProvider? provider)
    {
        provider = query.ServiceName == "mc" ? this : null;
        return provider is not null;
    }

    /// <inheritdoc/>
    public ValueTask PopulateAsync(IServiceEndpointBuilder endpoints, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            endpoints.AddChangeToken(new CancellationChangeToken(_change.Token));
            if (_error is not null)
            {
                throw _error;
            }

            foreach (EndPoint endpoint in _endpoints)
            {
                endpoints.Endpoints.Add(ServiceEndpoint.Create(endpoint));
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Change(EndPoint[] endpoints, Exception? error)
    {
        CancellationTokenSource before;
        lock (_lock)
        {
            (_endpoints, _error) = (endpoints, error);
            before = _change;
            _change = new CancellationTokenSource();
        }

        before.Cancel();
    }
}
