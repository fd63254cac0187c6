namespace MemcachedDistributedCache;

/// <summary>
/// One caller's attempts at a lock, all with one owner token. An <c>add</c> without an answer may have taken the lock, or may take it yet,
/// so from then on an item that is in the way is read: it may be the caller's own.
/// </summary>
internal sealed class LockAttempt(LockServer server)
{
    private readonly string _owner = Guid.NewGuid().ToString("N");
    private bool _inDoubt;
    private MemcachedResult _noAnswer;
    private MemcachedResult<ulong> _noNumber;

    /// <summary>Tries once.</summary>
    /// <returns>The lease; null where somebody else has the lock, or where the server gives no answer.</returns>
    /// <exception cref="MemcachedOutcomeException">The server cannot hold a lock.</exception>
    public async Task<LockLease?> TryAsync()
    {
        (_noAnswer, _noNumber) = (default, default);
        long since = server.Time.GetTimestamp();
        MemcachedResult added = await server.AddAsync(_owner).ConfigureAwait(false);
        switch (added.Outcome)
        {
            case MemcachedOutcome.Success:
                return await FenceAsync(since, added.Cas).ConfigureAwait(false);
            case MemcachedOutcome.NotStored:
                return _inDoubt ? await FindOwnAsync(default).ConfigureAwait(false) : null;
            case MemcachedOutcome.Unknown:
                _inDoubt = true;
                return await FindOwnAsync(added).ConfigureAwait(false);
            case MemcachedOutcome.Unavailable:
                _noAnswer = added;
                return null;
            default:
                added.EnsureSuccess();
                return null;
        }
    }

    /// <summary>Throws if the last attempt failed for want of an answer, and not because somebody else has the lock.</summary>
    /// <exception cref="MemcachedUnavailableException">The server gave no answer.</exception>
    public void ThrowIfNoAnswer()
    {
        if (_noAnswer.Outcome != MemcachedOutcome.None)
        {
            _noAnswer.EnsureSuccess();
        }

        if (_noNumber.Outcome != MemcachedOutcome.None)
        {
            _ = _noNumber.Value;
        }
    }

    /// <summary>Gives back what an attempt without an answer may have taken.</summary>
    public ValueTask WithdrawAsync() => _inDoubt ? server.ReleaseAsync(_owner, default) : ValueTask.CompletedTask;

    private async Task<LockLease?> FindOwnAsync(MemcachedResult unanswered)
    {
        MemcachedResult<MemcachedItem<string>> read = await server.ReadAsync().ConfigureAwait(false);
        if (!read.IsSuccess)
        {
            _noAnswer = unanswered;
            return null;
        }

        if (read.Value.Value != _owner)
        {
            return null;
        }

        // When the lease began is not known, so that it begins anew.
        long since = server.Time.GetTimestamp();
        MemcachedResult renewed = await server.RenewAsync(_owner, read.Value.Cas).ConfigureAwait(false);
        if (renewed.IsSuccess)
        {
            return await FenceAsync(since, renewed.Cas).ConfigureAwait(false);
        }

        _noAnswer = renewed.Outcome is MemcachedOutcome.Unknown or MemcachedOutcome.Unavailable ? renewed : default;
        return null;
    }

    private async Task<LockLease?> FenceAsync(long since, MemcachedCas cas)
    {
        MemcachedResult<ulong> number = await server.DrawNumberAsync().ConfigureAwait(false);

        // A number that was drawn after the lease had ended could be above that of the next holder.
        if (number.IsSuccess && server.Time.GetElapsedTime(since) < server.Options.OwnLease)
        {
            return new LockLease(server.Awaited(), _owner, number.Value, since, cas);
        }

        await server.ReleaseAsync(_owner, cas).ConfigureAwait(false);
        _noNumber = number.IsSuccess ? default : number;
        if (number.Outcome is not (MemcachedOutcome.Success or MemcachedOutcome.Unknown or MemcachedOutcome.Unavailable))
        {
            ThrowIfNoAnswer();
        }

        return null;
    }
}
