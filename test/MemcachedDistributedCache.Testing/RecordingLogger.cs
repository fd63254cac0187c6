using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace MemcachedDistributedCache.Testing;

/// <summary>Keeps what is logged, of every category and level.</summary>
/// <param name="also">What else to do with each entry.</param>
public sealed class RecordingLogger(Action<string>? also = null)
    : FakeLogger(FakeLogCollector.Create(new FakeLogCollectorOptions { OutputSink = also })), ILoggerFactory, ILoggerProvider
{
    /// <summary>What was logged so far, in order.</summary>
    public IReadOnlyList<FakeLogRecord> Entries => Collector.GetSnapshot();

    /// <summary>The event ids in order, without debug output.</summary>
    public IReadOnlyList<int> Ids => [.. Entries.Where(static entry => entry.Level > LogLevel.Debug).Select(static entry => entry.Id.Id)];

    /// <summary>The texts of an event.</summary>
    public IReadOnlyList<string> Of(int id) => [.. Entries.Where(entry => entry.Id == id).Select(static entry => entry.Message)];

    /// <summary>The texts of a level, and of those above.</summary>
    public IReadOnlyList<string> Texts(LogLevel atLeast = LogLevel.Trace)
        => [.. Entries.Where(entry => entry.Level >= atLeast).Select(static entry => entry.Message)];

    /// <summary>How many entries have this in their text.</summary>
    public int Count(string text) => Entries.Count(entry => entry.Message.Contains(text, StringComparison.Ordinal));

    /// <summary>Waits until a text has been logged so many times; the cache logs on threads of its own.</summary>
    public async Task SeesAsync(string text, int count)
        => Xunit.Assert.Equal(count, await Eventually.Get(() => Task.FromResult(Count(text)), seen => seen >= count, $"'{text}' is logged {count} times"));

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new FakeLogger(Collector, categoryName);

    /// <inheritdoc/>
    public void AddProvider(ILoggerProvider provider)
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
