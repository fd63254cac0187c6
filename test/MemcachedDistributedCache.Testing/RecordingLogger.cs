using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Testing;

/// <summary>Keeps what is logged.</summary>
public sealed class RecordingLogger : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, EventId Id, string Text)> _entries = new();

    /// <summary>What else to do with each entry.</summary>
    public Action? Also { get; init; }

    public IEnumerable<string> Texts(LogLevel atLeast) => _entries.Where(entry => entry.Level >= atLeast).Select(entry => entry.Text);

    public int Count(string text) => _entries.Count(entry => entry.Text.Contains(text, StringComparison.Ordinal));

    /// <summary>Waits until a text has been logged so many times; the cache logs on threads of its own.</summary>
    public async Task SeesAsync(string text, int count)
    {
        await Eventually.True(() => Count(text) >= count, $"'{text}' is logged");
        Xunit.Assert.Equal(count, Count(text));
    }

    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        _entries.Enqueue((logLevel, eventId, formatter(state, exception)));
        Also?.Invoke();
    }

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }
}
