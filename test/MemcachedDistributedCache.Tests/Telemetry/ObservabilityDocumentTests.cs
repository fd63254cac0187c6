using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MemcachedDistributedCache.AspNetCore;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache.Tests.Telemetry;

/// <summary>docs/observability.md and the dashboard speak of the metrics that there are, by the names that they have.</summary>
public sealed partial class ObservabilityDocumentTests : IDisposable
{
    private const string OutputCacheEvent = "memcached.output_cache.event";

    private static readonly string[] Attributes =
    [
        .. typeof(AttributeNames).GetFields(BindingFlags.Public | BindingFlags.Static).Select(static field => (string)field.GetValue(null)!),
        OutputCacheEvent,
        "memcached.rate_limiter.name",
        "memcached.rate_limiter.outcome",
        "memcached.warmup.name",
        "memcached.warmup.outcome",
    ];

    private static readonly string Document = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "observability.md"));

    private static readonly string Dashboard = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "grafana.json"));

    private readonly Factory _factory = new();
    private readonly MeterListener _listener = new();
    private readonly List<Instrument> _instruments = [];
    private readonly List<string> _outputCacheEvents = [];
    private readonly Dictionary<string, HashSet<string>> _seenAttributes = new(StringComparer.Ordinal);
    private readonly MemcachedCache _cache;
    private readonly HybridParts _hybrid;
    private readonly ServiceProvider _pages;
    private readonly MemcachedClient _client = new(new MemcachedClientOptions { Servers = ["127.0.0.1:1"] });
    private readonly MemcachedRateLimiter _limiter;
    private readonly BackgroundService _warmup;

    public ObservabilityDocumentTests()
    {
        _cache = new MemcachedCache(new MemcachedCacheOptions { Servers = ["127.0.0.1:1"] }, null, null, _factory, "name");
        _hybrid = _cache.CreateHybrid(null, NullLogger.Instance);
        _pages = new ServiceCollection()
            .AddLogging()
            .AddMemcachedOutputCache("127.0.0.1:1")
            .AddMemcachedWarmup("name", static (_, _) => AsyncEnumerable.Range(1, 2), static (_, _, _) => ValueTask.CompletedTask)
            .AddSingleton<IMeterFactory>(_factory)
            .BuildServiceProvider();
        _listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter == _factory.Meter)
            {
                _instruments.Add(instrument);
                self.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Note(instrument, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Note(instrument, tags));
        _listener.Start();
        _ = _pages.GetRequiredService<IOutputCacheStore>();
        _warmup = _pages.GetServices<IHostedService>().OfType<BackgroundService>().Single();
        _limiter = new MemcachedRateLimiter(
            _client,
            "name",
            new MemcachedFixedWindowRateLimiterOptions { PermitLimit = 1, Window = TimeSpan.FromSeconds(1) },
            meterFactory: _factory);
    }

    public void Dispose()
    {
        _listener.Dispose();
        _limiter.Dispose();
        _client.Dispose();
        _pages.Dispose();
        _hybrid.Dispose();
        _cache.Dispose();
        _factory.Dispose();
    }

    [Fact]
    public void The_tables_have_every_metric_with_its_kind_and_unit()
    {
        string[] written = [.. Rows().Select(static row => $"{row[0]} {row[1]} {row[2]}").Order(StringComparer.Ordinal)];
        string[] published = [.. _instruments.Select(static i => $"{i.Name} {Kind(i)} {i.Unit}").Order(StringComparer.Ordinal)];
        Assert.Equal(published, written);
        Assert.All(_instruments, static instrument => Assert.True(instrument.Description!.Length > 10));
    }

    [Fact]
    public async Task The_tables_have_every_attribute()
    {
        await _cache.GetAsync("key");
        await _cache.SetAsync("key", [1], new());
        await _hybrid.GetOrCreate.MakeAsync(
            "key",
            CallOptions.From(null, _hybrid.Context.Options),
            ValueFactory.Of(1, static (state, _) => ValueTask.FromResult(state)),
            CancellationToken.None);
        await _limiter.AcquireAsync();
        await _warmup.StartAsync(CancellationToken.None);
        await _warmup.ExecuteTask!;
        _listener.RecordObservableInstruments();
        string[] common = [AttributeNames.ServerAddress, AttributeNames.ServerPort, AttributeNames.CacheName];
        foreach (string[] row in Rows())
        {
            if (_seenAttributes.TryGetValue(row[0], out HashSet<string>? seen))
            {
                // The numbers of the hybrid cache and of output caching are of no server.
                bool isOfNoServer =
                    row[0].StartsWith("memcached.hybrid.", StringComparison.Ordinal)
                    || row[0].StartsWith("memcached.output_cache.", StringComparison.Ordinal);
                bool isOfNothing =
                    row[0].StartsWith("memcached.rate_limiter.", StringComparison.Ordinal) || row[0].StartsWith("memcached.warmup.", StringComparison.Ordinal);
                string[] given = isOfNothing ? [] : isOfNoServer ? [AttributeNames.CacheName] : common;
                Assert.Equal(given.Concat(Names().Matches(row[3]).Select(static match => match.Groups[1].Value)).Order(), seen.Order());
            }
            else
            {
                // Those need a server that answers; the integration tests see their attributes.
                Assert.StartsWith("memcached.server.", row[0], StringComparison.Ordinal);
            }
        }

        Assert.All(Attributes, static attribute => Assert.Contains($"`{attribute}`", Document, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_event_of_the_hybrid_cache_and_of_output_caching_has_its_line()
    {
        Assert.Equal(Enum.GetNames<HybridEvent>().Select(OutcomeNames.Snake), EventsUnder("event of the hybrid cache"));
        _listener.RecordObservableInstruments();
        Assert.Equal(_outputCacheEvents, EventsUnder("event of output caching"));
    }

    [Fact]
    public void Every_count_of_output_caching_is_published()
    {
        _listener.RecordObservableInstruments();
        Assert.Equal(typeof(MemcachedOutputCacheStatistics).GetProperties().Length, _outputCacheEvents.Distinct().Count());
    }

    [Fact]
    public void The_lists_of_values_are_complete()
    {
        Assert.All(OperationNames.All, static name => Assert.Contains($"`{name}`", ListOf("- `db.operation.name`: "), StringComparison.Ordinal));
        Assert.All(
            Enum.GetNames<ConnectionEndReason>().Select(OutcomeNames.Snake),
            static name => Assert.Contains($"`{name}`", ListOf("`memcached.connection.end_reason`: "), StringComparison.Ordinal));
        string outcomes = ListOf("- `memcached.outcome`: ");
        string errors = ListOf("- `error.type`, with `error` only: ");
        foreach (RequestOutcome outcome in Enum.GetValues<RequestOutcome>())
        {
            Assert.Contains($"`{outcome.Text()}`", outcomes, StringComparison.Ordinal);
            Assert.True(
                !outcome.IsError() || errors.Contains($"`{outcome.ErrorText()}`", StringComparison.Ordinal),
                $"{outcome} is not in the list of error.type");
        }
    }

    [Fact]
    public void Every_query_names_metrics_and_labels_that_there_are()
    {
        HashSet<string> known = [.. _instruments.SelectMany(InPrometheus), .. Attributes.Select(static name => name.Replace('.', '_'))];
        string[] queries =
        [
            .. Queries(JsonNode.Parse(Dashboard)!),
            .. AlertExpressions()
                .Matches(Document[Document.IndexOf("## Alerts", StringComparison.Ordinal)..])
                .Select(static match => match.Groups[1].Value),
        ];
        Assert.True(queries.Length > 30);
        foreach (string query in queries)
        {
            string[] named = [.. PrometheusNames().Matches(query).Select(static match => match.Value)];
            Assert.NotEmpty(named);
            Assert.All(named, name => Assert.True(known.Contains(name), $"{name} is no metric and no label, in {query}"));
            Assert.Equal(query.Count(static c => c == '('), query.Count(static c => c == ')'));
            Assert.Equal(query.Count(static c => c == '{'), query.Count(static c => c == '}'));
        }
    }

    [Fact]
    public void The_dashboard_shows_every_metric()
        => Assert.All(_instruments, instrument => Assert.Contains(InPrometheus(instrument), name => Dashboard.Contains(name, StringComparison.Ordinal)));

    private void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_seenAttributes)
        {
            HashSet<string> seen = _seenAttributes.TryGetValue(instrument.Name, out HashSet<string>? known) ? known : _seenAttributes[instrument.Name] = [];
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                seen.Add(tag.Key);
                if (tag.Key == OutputCacheEvent)
                {
                    _outputCacheEvents.Add((string)tag.Value!);
                }
            }
        }
    }

    /// <summary>The first column of the table with this heading.</summary>
    private static IEnumerable<string> EventsUnder(string heading)
        => Document[Document.IndexOf($"| {heading} | counts |", StringComparison.Ordinal)..]
            .Split('\n').Skip(2).TakeWhile(static line => line.StartsWith('|')).Select(static line => line.Split('|')[1].Trim(' ', '`'));

    /// <summary>The paragraph or list item that begins so.</summary>
    private static string ListOf(string beginning)
    {
        string[] lines = [.. Document.Split('\n').SkipWhile(line => !line.StartsWith(beginning, StringComparison.Ordinal))];
        Assert.NotEmpty(lines);
        return string.Join('\n', [lines[0], .. lines[1..].TakeWhile(static line => line.Length != 0 && !line.StartsWith('-'))]);
    }

    /// <summary>Name, kind, unit, attributes and meaning of each row about a metric.</summary>
    private static IEnumerable<string[]> Rows()
        => Document
            .Split('\n')
            .Where(static line => MetricRow().IsMatch(line))
            .Select(static line =>
                (string[])[.. line.Trim('|', ' ').Split('|').Select(static (cell, i) => i < 3 ? cell.Trim(' ', '`') : cell.Trim())]);

    private static string Kind(Instrument instrument) => instrument.GetType().GetGenericTypeDefinition() switch
    {
        Type type when type == typeof(Histogram<>) => "histogram",
        Type type when type == typeof(ObservableCounter<>) || type == typeof(Counter<>) => "counter",
        Type type when type == typeof(ObservableUpDownCounter<>) => "up-down counter",
        _ => "gauge",
    };

    /// <summary>The names under which Prometheus keeps a metric: dots become underscores, and unit and kind suffixes.</summary>
    private static IEnumerable<string> InPrometheus(Instrument instrument)
    {
        string unit = instrument.Unit switch { "By" => "_bytes", "s" => "_seconds", _ => "" };
        string name = instrument.Name.Replace('.', '_') + unit;
        return Kind(instrument) switch
        {
            "histogram" => [name + "_bucket", name + "_count", name + "_sum"],
            "counter" => [name + "_total"],
            _ => [name],
        };
    }

    private static IEnumerable<string> Queries(JsonNode node)
        => node switch
        {
            JsonObject o => o.SelectMany(static member =>
                member is { Key: "expr" or "definition", Value: JsonValue text } ? [text.GetValue<string>()]
                : member.Value is null ? []
                : Queries(member.Value)),
            JsonArray a => a.SelectMany(static item => item is null ? [] : Queries(item)),
            _ => [],
        };

    [GeneratedRegex("`([a-z_.]+)`")]
    private static partial Regex Names();

    [GeneratedRegex(@"^\| `(db|memcached)\.[a-z_.]+` \|")]
    private static partial Regex MetricRow();

    [GeneratedRegex(@"\| `([^`]+)` \|")]
    private static partial Regex AlertExpressions();

    [GeneratedRegex(@"\b(memcached|db|server|error|network)_[a-z_]+\b")]
    private static partial Regex PrometheusNames();

    private sealed class Factory : IMeterFactory
    {
        public Meter? Meter { get; private set; }

        public Meter Create(MeterOptions options) => Meter ??= new Meter(options);

        public void Dispose() => Meter?.Dispose();
    }
}
