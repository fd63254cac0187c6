using System.Diagnostics.Metrics;
using System.Threading.RateLimiting;
using MemcachedDistributedCache.AspNetCore.RateLimiting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.AspNetCore;

/// <summary>
/// A rate limit that holds for all processes together, by counters on memcached: a fixed or a sliding window, as the options say.
/// Thread-safe.
/// <para>
/// An acquire is one round trip, and none where the process holds permits already or knows that none are left. What cannot be granted at
/// once is refused: there is no queue. A refused lease has <see cref="MetadataName.RetryAfter"/> and
/// <see cref="MetadataName.ReasonPhrase"/>. A granted lease may be disposed or not: a window takes no permit back.
/// </para>
/// <para>
/// The limiter does not own the client. All limiters with the same name, partition and window share their counters, in whatever process.
/// </para>
/// </summary>
public sealed class MemcachedRateLimiter : RateLimiter
{
    private readonly RateLimiterSettings _settings;
    private readonly WindowState _state;
    private readonly IWindowCounters _counters;
    private readonly RateLimiterNotes _notes;
    private readonly TimeProvider _time;
    private long _granted;
    private long _refused;
    private long _lastUsed;
    private int _waiting;
    private volatile bool _isDisposed;

    /// <summary>Makes a limiter with a fixed window.</summary>
    /// <param name="client">Where the counters are.</param>
    /// <param name="name">The limiter's name, which is part of its counters' keys and an attribute of its metric.</param>
    /// <param name="options">The options; read now.</param>
    /// <param name="partitionKey">Which partition of the limit this is, such as a user's name; any text. Default: null, one for all.</param>
    /// <param name="timeProvider">The clock that cuts windows. Default: the system's.</param>
    /// <param name="loggerFactory">For warnings in outages. Default: none.</param>
    /// <param name="meterFactory">For the metric. Default: a meter of the process.</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    /// <exception cref="OptionsValidationException">An option is out of its range.</exception>
    public MemcachedRateLimiter(
        IMemcachedClient client,
        string name,
        MemcachedFixedWindowRateLimiterOptions options,
        string? partitionKey = null,
        TimeProvider? timeProvider = null,
        ILoggerFactory? loggerFactory = null,
        IMeterFactory? meterFactory = null)
        : this(client, Settings(client, name, options), partitionKey, timeProvider, loggerFactory, meterFactory)
    {
    }

    /// <summary>Makes a limiter with a sliding window.</summary>
    /// <inheritdoc cref="MemcachedRateLimiter(IMemcachedClient, string, MemcachedFixedWindowRateLimiterOptions, string, TimeProvider, ILoggerFactory, IMeterFactory)"/>
    public MemcachedRateLimiter(
        IMemcachedClient client,
        string name,
        MemcachedSlidingWindowRateLimiterOptions options,
        string? partitionKey = null,
        TimeProvider? timeProvider = null,
        ILoggerFactory? loggerFactory = null,
        IMeterFactory? meterFactory = null)
        : this(client, Settings(client, name, options), partitionKey, timeProvider, loggerFactory, meterFactory)
    {
    }

    internal MemcachedRateLimiter(
        IMemcachedClient client,
        RateLimiterSettings settings,
        string? partitionKey,
        TimeProvider? timeProvider,
        ILoggerFactory? loggerFactory,
        IMeterFactory? meterFactory)
        : this(
            settings,
            new MemcachedWindowCounters(client, settings, partitionKey),
            new RateLimiterNotes(
                client,
                settings.Name,
                (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<MemcachedRateLimiter>(),
                meterFactory),
            timeProvider ?? TimeProvider.System)
    {
    }

    internal MemcachedRateLimiter(RateLimiterSettings settings, IWindowCounters counters, RateLimiterNotes notes, TimeProvider timeProvider)
    {
        _settings = settings;
        _state = new WindowState(settings);
        _counters = counters;
        _notes = notes;
        _time = timeProvider;
        _lastUsed = _time.GetTimestamp();
    }

    /// <summary>
    /// How long nobody has asked; null while somebody waits. Who disposes an idle limiter loses nothing but permits that the process has
    /// taken and not handed out.
    /// </summary>
    public override TimeSpan? IdleDuration => Volatile.Read(ref _waiting) > 0 ? null : _time.GetElapsedTime(Volatile.Read(ref _lastUsed));

    /// <summary>
    /// What this process has granted and refused, and how many permits are left in the present window as far as it knows: nobody is asked.
    /// Nothing is ever queued.
    /// </summary>
    public override RateLimiterStatistics? GetStatistics() => new()
    {
        CurrentAvailablePermits = _state.Available(_time.GetUtcNow()),
        TotalSuccessfulLeases = Volatile.Read(ref _granted),
        TotalFailedLeases = Volatile.Read(ref _refused),
    };

    /// <inheritdoc/>
    protected override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        Begin(permitCount);
        try
        {
            for (int tries = 0; ; tries++)
            {
                if (_state.Decide(permitCount, _time.GetUtcNow(), out WindowAsk ask) is { } decision)
                {
                    return Lease(decision);
                }

                if (!_settings.BlockingAttempts)
                {
                    _state.Abandon(ask);
                    return RefusedLease.NotAsked;
                }

                if (Judge(ask, Ask(ask), tries) is { } lease)
                {
                    return lease;
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <inheritdoc/>
    protected override async ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        Begin(permitCount);
        try
        {
            for (int tries = 0; ; tries++)
            {
                if (_state.Decide(permitCount, _time.GetUtcNow(), out WindowAsk ask) is { } decision)
                {
                    return Lease(decision);
                }

                if (Judge(ask, await AskAsync(ask, cancellationToken).ConfigureAwait(false), tries) is { } lease)
                {
                    return lease;
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        base.Dispose(disposing);
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeAsyncCore()
    {
        _isDisposed = true;
        return base.DisposeAsyncCore();
    }

    private static RateLimiterSettings Settings(IMemcachedClient client, string name, MemcachedRateLimiterOptions options)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(options);
        return RateLimiterSettings.From(name, options);
    }

    private void Begin(int permitCount)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(permitCount, _settings.Limit);
        Volatile.Write(ref _lastUsed, _time.GetTimestamp());
        Interlocked.Increment(ref _waiting);
    }

    private WindowAnswer Ask(WindowAsk ask)
    {
        try
        {
            return _counters.Ask(ask);
        }
        catch
        {
            _state.Abandon(ask);
            throw;
        }
    }

    private async ValueTask<WindowAnswer> AskAsync(WindowAsk ask, CancellationToken cancellationToken)
    {
        try
        {
            return await _counters.AskAsync(ask, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _state.Abandon(ask);
            throw;
        }
    }

    /// <summary>The lease, or null where the acquire has to begin anew.</summary>
    private RateLimitLease? Judge(WindowAsk ask, WindowAnswer answer, int tries)
    {
        DateTimeOffset now = _time.GetUtcNow();
        if (!answer.IsWhole)
        {
            return LeaseAlone(ask, answer, now);
        }

        WindowDecision? decision = _state.Judge(ask, answer, now, out int giveBack);
        if (giveBack > 0)
        {
            _counters.GiveBack(ask.Segment, giveBack);
        }

        if (decision is { } made)
        {
            return Lease(made);
        }

        // Clocks that are a moment apart close a segment a moment early, and the next one is open. After a whole window of closed ones
        // somebody's clock is wrong.
        if (tries < _settings.Segments)
        {
            return null;
        }

        _notes.ClocksDiffer();
        return LeaseAlone(ask, new WindowAnswer(null, [], "the segments of this process's time are closed"), now);
    }

    private RateLimitLease LeaseAlone(WindowAsk ask, WindowAnswer answer, DateTimeOffset now)
    {
        WindowDecision alone = _state.DecideAlone(ask, answer, now);
        _notes.DecidedAlone(alone.IsGranted, answer.Failure);
        if (alone.IsGranted)
        {
            Interlocked.Increment(ref _granted);
            return GrantedLease.Instance;
        }

        if (answer.Count is not null)
        {
            _counters.GiveBack(ask.Segment, ask.Take);
        }

        Interlocked.Increment(ref _refused);
        return new RefusedLease(alone.RetryAfter, "memcached does not tell how many permits are taken.");
    }

    private RateLimitLease Lease(WindowDecision decision)
    {
        if (decision.IsGranted)
        {
            Interlocked.Increment(ref _granted);
            _notes.Granted();
            return GrantedLease.Instance;
        }

        Interlocked.Increment(ref _refused);
        _notes.Refused();
        return new RefusedLease(decision.RetryAfter, "All permits of the window are taken.");
    }
}
