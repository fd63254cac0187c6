using System.Buffers;
using System.IO.Pipelines;
using MemcachedDistributedCache.AspNetCore.Diagnostics;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>
/// Pages on memcached. Nothing that a server does or fails to do comes out of here as an exception: the response is then made, and sent
/// uncached. What comes out is a caller's cancellation, and a caller's mistake.
/// </summary>
internal sealed class MemcachedOutputCacheStore : IOutputCacheStore, IOutputCacheBufferStore
{
    private const string Partition = "output-cache";

    private readonly MemcachedCache _cache;
    private readonly MemcachedOutputCacheStatistics _statistics;
    private readonly IHttpContextAccessor _requests;
    private readonly ILogger _logger;
    private readonly TagVersions _versions;
    private readonly PageTags _tags;
    private readonly OversizeLog _oversize;
    private readonly LogLimiter _damaged = new();
    private readonly int _maximumTags;
    private readonly Func<ReadOnlyMemory<byte>, bool> _check;

    public MemcachedOutputCacheStore(
        MemcachedCache cache,
        MemcachedOutputCacheOptions options,
        MemcachedOutputCacheStatistics statistics,
        IHttpContextAccessor requests,
        TimeProvider timeProvider,
        ILogger<MemcachedOutputCacheStore> logger)
    {
        // Whatever the application chose for itself: here a failure must be told from a miss, and a page that is too large be counted.
        _cache = cache.CreatePartition(Partition, MemcachedFailureMode.Throw, MemcachedOversizeBehavior.Throw);
        _statistics = statistics;
        _requests = requests;
        _logger = logger;
        _versions = new TagVersions(cache.CreateVersionPartition(Partition), timeProvider);
        _tags = new PageTags(_versions, timeProvider, options.ClockTolerance, options.MaximumTags);
        _maximumTags = options.MaximumTags;
        _check = IsIntact;
        _oversize = new OversizeLog(logger);
    }

    /// <inheritdoc/>
    public ValueTask<byte[]?> GetAsync(string key, CancellationToken cancellationToken)
    {
        OwnLookup own = Enter(key, cancellationToken);
        return FindAsync();

        async ValueTask<byte[]?> FindAsync()
        {
            using var buffer = new PooledWriter();
            int start = await this.FindAsync(own, buffer, cancellationToken).ConfigureAwait(false);
            return start < 0 ? null : buffer.Written.Span[start..].ToArray();
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> TryGetAsync(string key, PipeWriter destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        OwnLookup own = Enter(key, cancellationToken);
        return TryFindAsync();

        async ValueTask<bool> TryFindAsync()
        {
            using var buffer = new PooledWriter();
            int start = await FindAsync(own, buffer, cancellationToken).ConfigureAwait(false);
            if (start < 0)
            {
                return false;
            }

            // Flushed, as the stores of ASP.NET do: the caller reads without completing the writer.
            destination.Write(buffer.Written.Span[start..]);
            await destination.FlushAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
    }

    /// <inheritdoc/>
    public ValueTask SetAsync(string key, byte[] value, string[]? tags, TimeSpan validFor, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(value);
        return SetAsync(key, new ReadOnlySequence<byte>(value), tags, validFor, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask SetAsync(
        string key,
        ReadOnlySequence<byte> value,
        ReadOnlyMemory<string> tags,
        TimeSpan validFor,
        CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        TagId[]? ids = IdsOf(tags.Span);

        // An endpoint that stops when its client is gone may have left half a page.
        cancellationToken.ThrowIfCancellationRequested();
        HttpContext? request = _requests.HttpContext;
        return StoreAsync(key, value, ids, validFor, request, _tags.Take(request));
    }

    /// <inheritdoc/>
    public async ValueTask EvictByTagAsync(string tag, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tag);
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            await _versions.EvictAsync(TagId.Of(tag)).ConfigureAwait(false);
            _statistics.AddEviction();
        }
        catch (MemcachedUnavailableException exception)
        {
            _statistics.AddFailure();
            Log.EvictionFailed(_logger, exception.Server, exception.Reason);
        }
        catch (Exception exception) when (IsOfTheCache(exception))
        {
            NoteFailure("EvictByTag", exception);
        }
    }

    /// <summary>An exception tells what became of the cache; such a one goes no further than here.</summary>
    internal static bool IsOfTheCache(Exception exception)
        => exception is MemcachedUnavailableException or ObjectDisposedException or MemcachedValueTooLargeException;

    /// <summary>The tags' ids, each once; null where there are too many, and then not all of them are looked at.</summary>
    private TagId[]? IdsOf(ReadOnlySpan<string> tags)
    {
        if (tags.IsEmpty)
        {
            return [];
        }

        var ids = new HashSet<TagId>(Math.Min(tags.Length, _maximumTags));
        foreach (string? tag in tags)
        {
            if (ids.Add(TagId.Of(tag ?? throw new ArgumentException("A tag is null.", nameof(tags)))) && ids.Count > _maximumTags)
            {
                return null;
            }
        }

        return [.. ids];
    }

    /// <summary>
    /// The sign is of the format's version: instances of the one before, which had 'p', keep their pages beside these
    /// while an application is deployed.
    /// </summary>
    private static string PageKey(string key) => "q" + key;

    private bool IsIntact(ReadOnlyMemory<byte> stored)
    {
        if (PageEnvelope.IsIntact(stored.Span))
        {
            return true;
        }

        _statistics.AddDamaged();
        if (_damaged.TryPass(out long suppressed))
        {
            Log.PageDamaged(_logger, stored.Length, suppressed);
        }

        return false;
    }

    private OwnLookup Enter(string key, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        cancellationToken.ThrowIfCancellationRequested();
        return _tags.Enter(key, _requests.HttpContext);
    }

    /// <summary>Reads a page into the buffer and returns where it begins there; -1 where there is none that counts.</summary>
    private async ValueTask<int> FindAsync(OwnLookup own, PooledWriter buffer, CancellationToken cancellationToken)
    {
        // What a policy says of the page's tags is known now, so their versions are asked for in the same moment as the page.
        PageTags.Reading reading = _tags.Begin(_requests.HttpContext.Find<IOutputCacheFeature>()?.Context.Tags, cancellationToken);
        int start = -1;
        VersionedTag[] tags = [];
        try
        {
            start = await ReadAsync(own.Key, buffer, reading, cancellationToken).ConfigureAwait(false);
            tags = await reading.FinishAsync(make: start < 0).ConfigureAwait(false);
        }
        catch
        {
            reading.Abandon();
            start = -1;
            throw;
        }
        finally
        {
            _tags.Leave(own, tags, isHit: start >= 0);
        }

        (start < 0 ? (Action)_statistics.AddMiss : _statistics.AddHit)();
        return start;
    }

    private async ValueTask<int> ReadAsync(string key, PooledWriter buffer, PageTags.Reading reading, CancellationToken cancellationToken)
    {
        try
        {
            return await _cache.TryGetCheckedAsync(PageKey(key), buffer, _check, cancellationToken).ConfigureAwait(false)
                && PageEnvelope.TryUnwrap(buffer.Written.Span, _maximumTags, out (TagId Tag, UInt128 Number)[] found, out int start)
                && await reading.MatchesAsync(found).ConfigureAwait(false)
                    ? start
                    : -1;
        }
        catch (Exception exception) when (IsOfTheCache(exception))
        {
            NoteFailure("Get", exception);
            return -1;
        }
    }

    /// <summary>
    /// Stores a page. Once begun it is finished: a caller who hangs up after the last byte of a response has not made
    /// it any less good.
    /// </summary>
    private async ValueTask StoreAsync(
        string key,
        ReadOnlySequence<byte> value,
        TagId[]? ids,
        TimeSpan validFor,
        HttpContext? request,
        OwnLookup? own)
    {
        try
        {
            if (ids is null)
            {
                _statistics.AddTooManyTags();
                _oversize.NoteTags(request, key, _maximumTags);
            }

            if (ids is null || validFor <= TimeSpan.Zero)
            {
                await _cache.RemoveAsync(PageKey(key), CancellationToken.None).ConfigureAwait(false);
                return;
            }

            if (await _tags.OfPageAsync(key, ids, request, own).ConfigureAwait(false) is not { } tags)
            {
                _statistics.AddOutdated();
                Log.PageOutdated(_logger);
                return;
            }

            var options = new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = validFor };
            await _cache.SetAsync(PageKey(key), PageEnvelope.Wrap(tags, value), options, CancellationToken.None).ConfigureAwait(false);
            _statistics.AddStored();
        }
        catch (MemcachedValueTooLargeException exception)
        {
            _statistics.AddTooLarge();
            _oversize.Note(request, key, exception.Size, exception.Limit);
        }
        catch (Exception exception) when (IsOfTheCache(exception))
        {
            NoteFailure("Set", exception);
        }
    }

    private void NoteFailure(string operation, Exception exception)
    {
        _statistics.AddFailure();
        Log.StoreFailed(_logger, operation, exception);
    }
}
