using MemcachedDistributedCache.Load.Fence;

namespace MemcachedDistributedCache.Load;

/// <summary>All that is driven in a run, in turn.</summary>
internal sealed class Subjects : IAsyncDisposable
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(0.5);

    /// <summary>The cache that nobody watches.</summary>
    public const string PlainName = "cache";

    /// <summary>The same with a listener to its metrics.</summary>
    public const string MetricsName = "cache metrics";

    /// <summary>The same with a logger.</summary>
    public const string LoggingName = "cache logging";

    private readonly List<Subject> _subjects;

    /// <summary>Ends the name of a cache with resilience off.</summary>
    public const string Bare = ", bare";

    public Subjects(IReadOnlyList<Way> ways, LoadOptions options)
    {
        (string Name, Func<string, Way, Subject> Make)[] bareLoops =
        [
            ("bare loop inline", (name, way) => new BareLoopSubject(name, way, Flush.Inline)),
            ("bare loop pool", (name, way) => new BareLoopSubject(name, way, Flush.Pool)),
            ("unsafe bare", (name, way) => new BareLoopSubject(name, way, Flush.Pool, completeInline: true)),
        ];
        (string Name, Func<string, CacheSetup, Subject> Make)[] caches =
        [
            ("cache", (name, setup) => new DistributedSubject(name, setup, Expiry.Default)),
            ("cache absolute", (name, setup) => new DistributedSubject(name, setup, Expiry.Absolute)),
            ("cache sliding", (name, setup) => new DistributedSubject(name, setup, Expiry.Sliding)),
            ("buffer", (name, setup) => new BufferSubject(name, setup)),
            (MetricsName, (name, setup) => new DistributedSubject(name, setup with { Watched = Watched.Measured }, Expiry.Default)),
            (LoggingName, (name, setup) => new DistributedSubject(name, setup with { Watched = Watched.Logged }, Expiry.Default)),
            ("sync", (name, setup) => new SyncSubject(name, setup)),
        ];
        bool Wanted(string name) => (name != MetricsName || options.Metrics) && (name != LoggingName || options.Logging) && (options.Subjects.Length == 0
            || name.StartsWith("bare", StringComparison.Ordinal)
            || name is MetricsName or LoggingName
            || (name == PlainName && (options.Metrics || options.Logging))
            || Array.Exists(options.Subjects, wanted => name.Equals(wanted, StringComparison.OrdinalIgnoreCase)));
        _subjects = [];
        foreach (Way way in ways)
        {
            if (!_subjects.Exists(subject => subject.Way.Transport == way.Transport))
            {
                Way bare = way with { Protocol = MemcachedProtocol.Meta };
                _subjects.AddRange(bareLoops.Where(entry => Wanted(entry.Name)).Select(entry => entry.Make(entry.Name + bare.Suffix, bare)));
            }

            foreach ((string name, Func<string, CacheSetup, Subject> make) in caches.Where(entry => Wanted(entry.Name)))
            {
                _subjects.AddRange(options.Resilience.Select(resilience => make(
                    name + way.Suffix + (resilience == Resilience.Off ? Bare : ""),
                    new CacheSetup(way, options.Connections, resilience, Watched.No))));
            }
        }
    }

    /// <summary>Stores the values of a size under every subject's keys.</summary>
    public async Task PrepareAsync(Workload workload, CancellationToken cancellationToken)
    {
        foreach (Subject subject in _subjects)
        {
            await subject.PrepareAsync(workload, cancellationToken);
        }
    }

    /// <summary>Measures one workload at one width: all subjects in every round, each round beginning with another one.</summary>
    public async Task<IReadOnlyList<Row>> MeasureAsync(Workload workload, int width, LoadOptions options, CancellationToken cancellationToken)
    {
        List<(Subject Subject, List<Measurement> Rounds)> results = [.. _subjects.Select(static s => (s, new List<Measurement>()))];
        TimeSpan warmUp = WarmUp < options.Duration ? WarmUp : options.Duration;
        foreach ((Subject subject, _) in results)
        {
            await Measurement.TakeAsync(subject, workload, width, warmUp, cancellationToken);
        }

        for (int round = 0; round < options.Rounds; round++)
        {
            for (int i = 0; i < results.Count; i++)
            {
                (Subject subject, List<Measurement> rounds) = results[(i + round) % results.Count];
                rounds.Add(await Measurement.TakeAsync(subject, workload, width, options.Duration, cancellationToken));
            }
        }

        return Row.Of(workload, width, results);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (Subject subject in _subjects)
        {
            await subject.DisposeAsync();
        }
    }
}
