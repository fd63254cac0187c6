using System.Diagnostics.Metrics;
using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.Tests.Telemetry;

public sealed class MetricHubTests
{
    private static readonly MetricTags Tags = new(new KeyValuePair<string, object?>("who", "me"));

    [Fact]
    public void The_names_are_those_of_the_package()
        => Assert.Equal(("MemcachedDistributedCache", "MemcachedDistributedCache"), (MemcachedTelemetry.MeterName, MemcachedTelemetry.ActivitySourceName));

    [Fact]
    public void One_meter_has_one_hub_and_a_disposed_source_leaves_nothing()
    {
        using var factory = new Factory();
        MetricHub hub = MetricHub.Of(factory);
        Assert.Same(hub, MetricHub.Of(factory));
        ObservedMetric<Source>[] metrics = [new("things", MetricKind.Counter, "{thing}", "Things.", static (source, to) => to.Add(Tags, source.Value))];
        using var listener = new Listener(factory.Meter!);
        WeakReference source = AttachAndDetach(hub, metrics, listener);
        Assert.Empty(listener.Collect());
        Assert.Equal(1, listener.Published("things"));
        for (int i = 0; i < 10 && source.IsAlive; i++)
        {
            GC.Collect();
        }

        Assert.False(source.IsAlive);
    }

    [Fact]
    public void Shared_numbers_are_not_added_up()
    {
        using var factory = new Factory();
        MetricHub hub = MetricHub.Of(factory);
        using var listener = new Listener(factory.Meter!);
        ObservedMetric<Source>[] metrics =
        [
            new("sum", MetricKind.Amount, "1", "", static (source, to) => to.Add(Tags, source.Value)),
            new("shared", MetricKind.Gauge, "1", "", static (source, to) => to.Add(Tags, source.Value)) { IsShared = true },
            new("ratio", MetricKind.Ratio, "1", "", static (source, to) => to.Add(Tags.With("value", source.Value), source.Value / 10.0)),
        ];
        hub.Attach(metrics, new Source(3));
        hub.Attach(metrics, new Source(4));
        Assert.Equal([("ratio", 0.3), ("ratio", 0.4), ("shared", 3), ("sum", 7)], listener.Collect().Order());
    }

    [Fact]
    public void A_listener_or_a_factory_that_throws_leaves_a_cache_without_metrics()
    {
        using var throwing = new Factory { Exception = new ObjectDisposedException("factory") };
        Assert.Same(MetricHub.Silent, MetricHub.Of(throwing));

        using var factory = new Factory();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter == factory.Meter)
            {
                throw new InvalidOperationException("no listening today");
            }
        };
        listener.Start();
        Assert.Same(MetricHub.Silent, MetricHub.Of(factory));
        Assert.False(MetricHub.Silent.OperationDuration.IsEnabled);
    }

    [Fact]
    public void A_silent_hub_is_heard_by_nobody()
    {
        int heard = 0;
        using var listener = new MeterListener { InstrumentPublished = (instrument, _) => heard += instrument.Name == "silent" ? 1 : 0 };
        listener.Start();
        MetricHub.Silent.Attach<Source>([new("silent", MetricKind.Counter, "1", "", static (_, _) => throw new InvalidOperationException())], new Source(1));
        listener.RecordObservableInstruments();
        Assert.Equal(0, heard);
        Assert.False(MetricHub.Silent.OperationDuration.IsEnabled);
    }

    [Fact]
    public async Task Caches_of_a_container_use_its_meter_and_keyed_ones_tell_their_name()
    {
        using var factory = new Factory();
        await using ServiceProvider provider = new ServiceCollection()
            .AddSingleton<IMeterFactory>(factory)
            .AddMemcachedDistributedCache("127.0.0.1:1")
            .AddKeyedMemcachedDistributedCache("sessions", "127.0.0.1:1")
            .BuildServiceProvider();
        _ = provider.GetRequiredService<MemcachedCache>();
        _ = provider.GetRequiredKeyedService<MemcachedCache>("sessions");
        Assert.Equal(MemcachedTelemetry.MeterName, factory.Meter!.Name);
        using var listener = new Listener(factory.Meter);
        Assert.Equal(
            ["server.address=127.0.0.1 server.port=1", "server.address=127.0.0.1 server.port=1 memcached.cache.name=sessions"],
            listener.CollectTags("memcached.client.hits").Order());
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static WeakReference AttachAndDetach(MetricHub hub, ObservedMetric<Source>[] metrics, Listener listener)
    {
        var first = new Source(1);
        var second = new Source(2);
        hub.Attach(metrics, first);
        hub.Attach(metrics, second);
        Assert.Equal([("things", 3)], listener.Collect());
        hub.Detach(first);
        Assert.Equal([("things", 2)], listener.Collect());
        hub.Detach(second);
        return new WeakReference(second);
    }

    private sealed record Source(long Value);

    private sealed class Factory : IMeterFactory
    {
        public Exception? Exception { get; init; }

        public Meter? Meter { get; private set; }

        public Meter Create(MeterOptions options) => Exception is null ? Meter ??= new Meter(options) : throw Exception;

        public void Dispose() => Meter?.Dispose();
    }

    private sealed class Listener : IDisposable
    {
        private readonly MeterListener _inner = new();
        private readonly List<string> _published = [];
        private readonly List<(string Name, double Value, string Tags)> _seen = [];

        public Listener(Meter meter)
        {
            _inner.InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter == meter)
                {
                    _published.Add(instrument.Name);
                    self.EnableMeasurementEvents(instrument);
                }
            };
            _inner.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
            _inner.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
            _inner.Start();
        }

        public int Published(string name) => _published.Count(published => published == name);

        public IReadOnlyList<(string Name, double Value)> Collect()
        {
            _seen.Clear();
            _inner.RecordObservableInstruments();
            return [.. _seen.Select(static seen => (seen.Name, seen.Value))];
        }

        public IReadOnlyList<string> CollectTags(string name)
        {
            _ = Collect();
            return [.. _seen.Where(seen => seen.Name == name).Select(static seen => seen.Tags)];
        }

        public void Dispose() => _inner.Dispose();

        private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
            => _seen.Add((instrument.Name, value, string.Join(' ', tags.ToArray().Select(static tag => $"{tag.Key}={tag.Value}"))));
    }
}
