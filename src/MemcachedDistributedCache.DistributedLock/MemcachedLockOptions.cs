using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache;

/// <summary>How long a lock lasts without its holder, and how often holders and waiting callers ask the server.</summary>
public sealed class MemcachedLockOptions
{
    /// <summary>
    /// How long the server keeps a lock whose holder has gone, in whole seconds, rounded up. The holder renews the lock before that.
    /// memcached's clock ticks once a second, so the holder counts a second and a hundredth less than this.
    /// 3 seconds to 1 day. Default: 30 seconds.
    /// </summary>
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often a holder renews its lock. 100 milliseconds to half of what the holder counts of <see cref="LeaseDuration"/>.
    /// Default: not set, which is a third of what the holder counts.
    /// </summary>
    public TimeSpan? RenewalInterval { get; set; }

    /// <summary>
    /// The first pause of a caller who waits for a lock. Each further pause is half as long again, up to <see cref="MaximumWaitPause"/>,
    /// and a random part of up to a half is taken off each. 1 millisecond to 1 minute. Default: 10 milliseconds.
    /// </summary>
    public TimeSpan MinimumWaitPause { get; set; } = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// The longest pause of a caller who waits for a lock. 1 millisecond to 1 minute, and no less than <see cref="MinimumWaitPause"/>.
    /// Default: 250 milliseconds.
    /// </summary>
    public TimeSpan MaximumWaitPause { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>The part of the lease that the holder counts.</summary>
    internal TimeSpan OwnLease => LeaseDuration - TimeSpan.FromSeconds(1) - (LeaseDuration / 100);

    /// <summary>The pause between renewals.</summary>
    internal TimeSpan EffectiveRenewalInterval => RenewalInterval ?? OwnLease / 3;

    /// <summary>The options as they are now, if they are in their ranges.</summary>
    /// <exception cref="OptionsValidationException">An option is out of its range.</exception>
    internal MemcachedLockOptions Checked()
    {
        var copy = (MemcachedLockOptions)MemberwiseClone();
        List<string> failures = copy.FindFailures();
        return failures.Count == 0
            ? copy
            : throw new OptionsValidationException(Microsoft.Extensions.Options.Options.DefaultName, typeof(MemcachedLockOptions), failures);
    }

    /// <summary>The mistakes in the options, each with its remedy.</summary>
    internal List<string> FindFailures()
    {
        var failures = new List<string>();
        Check(LeaseDuration, nameof(LeaseDuration), TimeSpan.FromSeconds(3), TimeSpan.FromDays(1), failures);
        Check(MinimumWaitPause, nameof(MinimumWaitPause), TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), failures);
        Check(MaximumWaitPause, nameof(MaximumWaitPause), TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), failures);
        if (failures.Count == 0)
        {
            if (RenewalInterval is { } interval)
            {
                Check(interval, nameof(RenewalInterval), TimeSpan.FromMilliseconds(100), OwnLease / 2, failures);
            }

            if (MaximumWaitPause < MinimumWaitPause)
            {
                failures.Add(
                    $"{nameof(MemcachedLockOptions)}.{nameof(MaximumWaitPause)} ({MaximumWaitPause}) is less than "
                    + $"{nameof(MinimumWaitPause)} ({MinimumWaitPause}): raise it, or lower {nameof(MinimumWaitPause)}.");
            }
        }

        return failures;
    }

    private static void Check(TimeSpan value, string name, TimeSpan least, TimeSpan most, List<string> failures)
    {
        if (value < least || value > most)
        {
            failures.Add($"{nameof(MemcachedLockOptions)}.{name} is {value}: set it to a time from {least} to {most}.");
        }
    }
}

/// <summary>Checks the options when the host starts.</summary>
internal sealed class MemcachedLockOptionsRules : IValidateOptions<MemcachedLockOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, MemcachedLockOptions options)
        => options.FindFailures() is { Count: > 0 } failures ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
}
