using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Keeps the versions of tags in step with the cluster. A version is read again when it is older than the interval, by one read for
/// all who wait, and ahead of time where it is in use, so that in steady traffic nobody waits. A missing version is replaced by one
/// that never was.
/// </summary>
internal sealed class TagTracker(TagSync sync, TagTable table, HybridContext context)
{
    /// <summary>
    /// A version is sent once, when its tag is invalidated. One that an entry had, and its server had not, this long ago will not
    /// arrive any more.
    /// </summary>
    private static readonly TimeSpan OnItsWay = TimeSpan.FromSeconds(5);

    private readonly long _onItsWay = (long)(OnItsWay.TotalSeconds * context.Time.TimestampFrequency);
    private readonly long _interval = (long)(context.Options.TagRefreshInterval.TotalSeconds * context.Time.TimestampFrequency);
    private int _invalidations;

    /// <summary>Counts the invalidations by this process; a single flight that began before one is not joined after it.</summary>
    public int Invalidations => Volatile.Read(ref _invalidations);

    /// <summary>The tags of a call, the one of all entries first.</summary>
    public TagState[] Resolve(IReadOnlyList<string> tags, byte[] entryKey)
    {
        var states = new TagState[tags.Count + 1];
        states[0] = table.WildcardOf(entryKey);
        for (int i = 0; i < tags.Count; i++)
        {
            states[i + 1] = table.Of(tags[i]);
        }

        return states;
    }

    /// <summary>An entry may be served, as far as is known.</summary>
    public TagCheck Check(TagStamp[] stamps, long now)
    {
        bool mustRead = false;
        bool isKnown = true;
        long required = now - _interval;
        long ahead = now - (_interval - (_interval / 4));
        foreach (ref readonly TagStamp stamp in stamps.AsSpan())
        {
            TagState state = stamp.State;
            if (!ReferenceEquals(state.Current, stamp.Version) && !state.IsCurrent(stamp.Version))
            {
                if (state.Current is not null && !state.IsProvisional)
                {
                    // The entry is wrong whatever the cluster says now. But should a server have brought the old version back,
                    // others take it for right.
                    if (state.ReadAt < required)
                    {
                        RefreshBehind(state);
                    }

                    return TagCheck.Invalid;
                }

                isKnown = false;
            }

            long readAt = state.ReadAt;
            if (readAt < required)
            {
                mustRead = true;
            }
            else if (readAt < ahead)
            {
                RefreshBehind(state);
            }
        }

        return mustRead ? TagCheck.NeedsRefresh : isKnown ? TagCheck.Valid : TagCheck.Unverifiable;
    }

    /// <summary>The same, after what has to be read anew has been.</summary>
    public async ValueTask<TagCheck> CheckAsync(TagStamp[] stamps)
    {
        long now = context.Now;
        TagCheck check = Check(stamps, now);
        if (check != TagCheck.NeedsRefresh)
        {
            return check;
        }

        await EnsureAsync(Array.ConvertAll(stamps, static stamp => stamp.State), now).ConfigureAwait(false);

        // Held against the moment of the call: what was read since is right, however long it took.
        check = Check(stamps, now);
        return check == TagCheck.NeedsRefresh ? TagCheck.Unverifiable : check;
    }

    /// <summary>
    /// The same for an entry that was read from the cluster just now. It may be newer than what this process knows of its tags, so
    /// a version that is neither the known one nor one known to be superseded is held against the cluster once more, by a read that
    /// is sent after the entry was read. To judge by what was known before would destroy an entry that another process has just
    /// made.
    /// </summary>
    public ValueTask<TagCheck> CheckReadAsync(TagStamp[] stamps)
        => Check(stamps, context.Now) == TagCheck.Valid ? new ValueTask<TagCheck>(TagCheck.Valid) : CheckReadSlowAsync(stamps);

    private async ValueTask<TagCheck> CheckReadSlowAsync(TagStamp[] stamps)
    {
        TagCheck check = await CheckAsync(stamps).ConfigureAwait(false);
        long now = context.Now;
        TagStamp[] others = check == TagCheck.Invalid ? Array.FindAll(stamps, static stamp => !stamp.State.IsCurrent(stamp.Version)) : [];
        if (others.Length == 0 || Array.Exists(others, stamp => stamp.State.IsSuperseded(stamp.Version, now - _onItsWay)))
        {
            return check;
        }

        // A version that differs ended the check before the versions behind it were looked at: those that are too old are read at
        // the same time.
        await Task.WhenAll([.. others.Select(AskAgainAsync), EnsureAsync(Array.ConvertAll(stamps, static stamp => stamp.State), now)])
            .ConfigureAwait(false);
        check = Check(stamps, now);
        if (check == TagCheck.Invalid && !Array.Exists(stamps, stamp => stamp.State.Refutes(stamp.Version, now)))
        {
            // Nobody has said that it is wrong: it is neither used nor touched.
            return TagCheck.Unverifiable;
        }

        return check == TagCheck.NeedsRefresh ? TagCheck.Unverifiable : check;
    }

    /// <summary>Reads a tag's version anew, unless a read that is under way brings the one that an entry has.</summary>
    private async Task AskAgainAsync(TagStamp stamp)
    {
        int begun = stamp.State.RefreshesBegun;
        await sync.Refresh(stamp.State).ConfigureAwait(false);
        if (!stamp.State.IsCurrent(stamp.Version))
        {
            // That one may have been sent before the entry was read; what has begun since was not.
            await sync.RefreshSince(stamp.State, begun).ConfigureAwait(false);
        }
    }

    /// <summary>Reads anew what is older than the interval; all of it at once.</summary>
    public Task EnsureAsync(TagState[] states) => EnsureAsync(states, context.Now);

    /// <summary>The present versions, for an entry whose value is about to be made.</summary>
    public TagStamp[] Capture(TagState[] states)
        => Array.ConvertAll(states, state => new TagStamp(state, state.StampVersion ?? TagVersion.Create(context.Time)));

    /// <summary>
    /// Invalidates a tag: at once in this process, and in the cluster when this completes, unless a server gave no answer.
    /// </summary>
    public Task InvalidateAsync(string tag) => InvalidateAsync([tag], int.MaxValue);

    /// <summary>The same for many tags, with so many requests under way to the cluster at once: two for each tag.</summary>
    public async Task InvalidateAsync(IReadOnlyList<string> tags, int width)
    {
        List<TagState> states = [];
        foreach (string tag in tags)
        {
            context.Counters.Add(HybridEvent.TagInvalidated);
            states.AddRange(tag == TagTable.Wildcard ? table.Wildcards() : [table.Of(tag)]);
        }

        foreach (TagState state in states)
        {
            state.Invalidate(TagVersion.Create(context.Time), context.Now);
        }

        Interlocked.Increment(ref _invalidations);
        await FanOut.RunAsync(states, Math.Max(1, width / 2), sync.Deliver).ConfigureAwait(false);
    }

    /// <summary>
    /// Delivers the invalidations that have not reached the cluster, once more; for the end of the process, which would forget
    /// them.
    /// </summary>
    public Task DeliverPendingAsync() => Task.WhenAll(table.Pending().Select(sync.Deliver));

    private Task EnsureAsync(TagState[] states, long now)
        => Array.Exists(states, state => state.ReadAt < now - _interval) ? EnsureSlowAsync(states, now - _interval) : Task.CompletedTask;

    private async Task EnsureSlowAsync(TagState[] states, long required)
    {
        // A read that was under way already may have been sent too early; the next one was not.
        for (int round = 0; round < 2; round++)
        {
            Task[] reads = [.. states.Where(state => state.ReadAt < required).Select(sync.Refresh)];
            if (reads.Length == 0)
            {
                return;
            }

            await Task.WhenAll(reads).ConfigureAwait(false);
        }
    }

    private void RefreshBehind(TagState state)
    {
        using (FlowGuard.Suppress())
        {
            _ = sync.Refresh(state);
        }
    }
}
