using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>
/// Finds, for a page that was made, the versions that its tags had before: an eviction while the page was made must win
/// over the page, which is stored after it.
/// <list type="number">
/// <item>A tag that was known when the page was looked for, from a policy or from the page that was there before, has
/// the version read then.</item>
/// <item>Of any other the version is read now, and counts if it is surely older than the request: seen by this process
/// before, or made by an eviction that is longer past than the clocks can be apart. If not, the page is not
/// stored.</item>
/// </list>
/// </summary>
internal sealed class PageTags(TagVersions versions, TimeProvider timeProvider, TimeSpan clockTolerance, int maximumTags)
{
    /// <summary>
    /// How long before a request a look-up may have ended that it shares: while its result was on its way to those who
    /// waited for it.
    /// </summary>
    private static readonly TimeSpan Sharing = TimeSpan.FromSeconds(1);

    /// <summary>The last look-up of whoever uses the store without a request.</summary>
    private readonly AsyncLocal<OwnLookup?> _ofThisFlow = new();

    private readonly LookupLog _lookups = new();
    private readonly long _sharing = (long)(Sharing.TotalSeconds * timeProvider.TimestampFrequency);

    /// <summary>
    /// Notes whose look-up begins. Called before anything is awaited, so that what is noted of a flow reaches the
    /// caller.
    /// </summary>
    public OwnLookup Enter(string key, HttpContext? request)
    {
        var own = new OwnLookup(key);
        if (request is null)
        {
            _ofThisFlow.Value = own;
        }
        else if (request.Find<Arrival>() is { } arrival)
        {
            arrival.Lookup = own;
        }

        return own;
    }

    /// <summary>Begins to read the versions of the tags that are known of a page before it is found.</summary>
    public Reading Begin(ICollection<string>? tags, CancellationToken cancellationToken)
    {
        var reading = new Reading(versions, cancellationToken);
        foreach (string? tag in tags ?? [])
        {
            // A page that has all of them is not cached; of one that has not, enough is known.
            if (reading.Count == maximumTags)
            {
                break;
            }

            if (tag is not null)
            {
                reading.Begin(TagId.Of(tag));
            }
        }

        return reading;
    }

    /// <summary>
    /// The look-up that a page which is stored now came after, where this flow or request made it itself. Called before
    /// anything is awaited.
    /// </summary>
    public OwnLookup? Take(HttpContext? request)
    {
        if (request is not null)
        {
            return request.Find<Arrival>()?.Lookup;
        }

        // Once: a loop that stores again and again without looking makes each page anew.
        OwnLookup? own = _ofThisFlow.Value;
        _ofThisFlow.Value = null;
        return own;
    }

    /// <summary>Notes a look-up that has ended, also one that was cancelled: whoever shared it begins the page now.</summary>
    public void Leave(OwnLookup own, VersionedTag[] tags, bool isHit)
    {
        var found = new LookupLog.Lookup(timeProvider.GetTimestamp(), tags);
        own.Found = found;
        if (isHit)
        {
            _lookups.NoteHit(own.Key, found.Timestamp);
        }
        else
        {
            _lookups.NoteMiss(own.Key, found);
        }
    }

    /// <summary>
    /// The versions that the tags had before the page was begun; null where one cannot be told, or may have changed
    /// since.
    /// </summary>
    /// <exception cref="MemcachedUnavailableException">The server of a tag gave no answer.</exception>
    public async Task<VersionedTag[]?> OfPageAsync(string key, TagId[] tags, HttpContext? request, OwnLookup? own)
    {
        (LookupLog.Lookup? lookup, long? begun) = LookupOf(key, request, own);
        if (tags.Length == 0)
        {
            return [];
        }

        Dictionary<TagId, TagVersion>? known = lookup?.Tags.ToDictionary(static tag => tag.Tag, static tag => tag.Version);
        TagVersion?[] found = await Task.WhenAll(tags.Select(tag => VersionAsync(tag, known, begun))).ConfigureAwait(false);
        var result = new VersionedTag[tags.Length];
        for (int i = 0; i < tags.Length; i++)
        {
            if (found[i] is not { } version)
            {
                return null;
            }

            result[i] = new(tags[i], version);
        }

        return result;
    }

    private async Task<TagVersion?> VersionAsync(TagId tag, Dictionary<TagId, TagVersion>? known, long? begun)
    {
        if (known is not null && known.TryGetValue(tag, out TagVersion looked))
        {
            return looked;
        }

        if (await versions.ReadAsync(tag, CancellationToken.None).ConfigureAwait(false) is { } read)
        {
            return begun is not { } time || versions.IsOlderThan(read, time, clockTolerance) ? read : null;
        }

        // A tag that is new to the cluster. Had it been evicted while the page was made, it would have a version,
        // unless that was lost at once.
        return await versions.MakeAsync(tag, CancellationToken.None).ConfigureAwait(false) is { IsFirst: true } made ? made.Version : null;
    }

    /// <summary>
    /// The look-up that came before the page was begun, if it is known, and a time at which the page was surely not yet begun. Who uses the
    /// store without a request and without a look-up says nothing of that: what such a page is stored with is what holds now.
    /// </summary>
    private (LookupLog.Lookup? Lookup, long? Begun) LookupOf(string key, HttpContext? request, OwnLookup? own)
    {
        Arrival? arrival = request.Find<Arrival>();
        if (own is { Found: { } found } && own.Key == key)
        {
            return (found, found.Timestamp);
        }

        if (arrival is null)
        {
            return (null, null);
        }

        // A policy may forbid the look-up; then those of other requests say nothing of this one.
        bool looked = request.Find<IOutputCacheFeature>()?.Context.AllowCacheLookup != false;
        return (looked ? _lookups.FirstSince(key, arrival.Timestamp - _sharing) : null, arrival.Timestamp);
    }

    /// <summary>The versions that one look-up reads.</summary>
    internal sealed class Reading(TagVersions versions, CancellationToken cancellationToken)
    {
        private readonly List<(TagId Tag, Task<TagVersion?> Version)> _asked = [];
        private readonly Dictionary<TagId, int> _places = [];
        private int _named;

        /// <summary>How many tags have been asked for.</summary>
        public int Count => _asked.Count;

        /// <summary>Asks for a tag that the page will have.</summary>
        public void Begin(TagId tag)
        {
            Ask(tag);
            _named = _asked.Count;
        }

        /// <summary>
        /// The page's tags have the versions that stand in it; those that nobody named are asked for now. What was
        /// asked for together with the page may have been read before another instance evicted the tag and stored this
        /// page, so a version that differs is asked for once more: a page that is newer than what is known of its tags
        /// is not made again and replaced by an older one.
        /// </summary>
        public async ValueTask<bool> MatchesAsync((TagId Tag, UInt128 Number)[] tags)
        {
            foreach ((TagId tag, _) in tags)
            {
                Ask(tag);
            }

            bool all = true;
            var again = new List<(int Place, UInt128 Number)>();
            foreach ((TagId tag, UInt128 number) in tags)
            {
                int place = _places[tag];
                TagVersion? version = await _asked[place].Version.ConfigureAwait(false);
                if (version?.Number == number)
                {
                    continue;
                }

                if (place < _named)
                {
                    again.Add((place, number));
                }
                else
                {
                    all = false;
                }
            }

            if (!all)
            {
                return false;
            }

            foreach ((int place, _) in again)
            {
                _asked[place] = (_asked[place].Tag, versions.ReadAsync(_asked[place].Tag, cancellationToken));
            }

            foreach ((int place, UInt128 number) in again)
            {
                TagVersion? version = await _asked[place].Version.ConfigureAwait(false);
                all &= version?.Number == number;
            }

            return all;
        }

        /// <summary>
        /// All versions that could be read. For a page that is about to be made those of its named tags are made where
        /// there are none, so that it has a version older than itself.
        /// </summary>
        public async ValueTask<VersionedTag[]> FinishAsync(bool make)
        {
            var read = new List<VersionedTag>(_asked.Count);
            for (int i = 0; i < _asked.Count; i++)
            {
                (TagId tag, Task<TagVersion?> asked) = _asked[i];
                try
                {
                    TagVersion? version = await asked.ConfigureAwait(false);
                    version ??= make && i < _named ? (await versions.MakeAsync(tag, cancellationToken).ConfigureAwait(false)).Version : null;
                    if (version is { } known)
                    {
                        read.Add(new(tag, known));
                    }
                }
                catch (Exception exception) when (MemcachedOutputCacheStore.IsOfTheCache(exception))
                {
                    // Not known, then: a page with this tag is not stored, or its version is read again when it is.
                }
            }

            return [.. read];
        }

        /// <summary>Waits for nothing more; what fails later is nobody's concern.</summary>
        public void Abandon() => _ = Task.WhenAll(_asked.Select(static asked => asked.Version)).ContinueWith(
            static all => all.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);

        private void Ask(TagId tag)
        {
            if (_places.TryAdd(tag, _asked.Count))
            {
                _asked.Add((tag, versions.ReadAsync(tag, cancellationToken)));
            }
        }
    }
}
