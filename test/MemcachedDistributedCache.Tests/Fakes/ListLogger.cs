using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>Keeps what is logged.</summary>
internal sealed class ListLogger : ILogger, ILoggerFactory
{
    private readonly ConcurrentQueue<(LogLevel Level, int Id, string Text)> _entries = new();

    public IReadOnlyList<(LogLevel Level, int Id, string Text)> Entries => [.. _entries];

    /// <summary>The event ids in order, without debug output.</summary>
    public IReadOnlyList<int> Ids => [.. _entries.Where(static e => e.Level > LogLevel.Debug).Select(static e => e.Id)];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        => _entries.Enqueue((logLevel, eventId.Id, formatter(state, exception)));

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }
}
