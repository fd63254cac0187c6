using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.AspNetCore.Tests.Support;

/// <summary>Keeps what is logged.</summary>
internal sealed class ListLogger : ILoggerProvider
{
    /// <summary>What was logged so far.</summary>
    public ConcurrentQueue<(LogLevel Level, int Id, string Text)> Entries { get; } = [];

    public IReadOnlyList<string> Of(int id) => [.. Entries.Where(entry => entry.Id == id).Select(static entry => entry.Text)];

    public ILogger CreateLogger(string categoryName) => new Logger(Entries);

    public void Dispose()
    {
    }

    private sealed class Logger(ConcurrentQueue<(LogLevel Level, int Id, string Text)> entries) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            => entries.Enqueue((logLevel, eventId.Id, $"{formatter(state, exception)} {exception}"));
    }
}
