using MemcachedDistributedCache.Options;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

public sealed class OptionsTests
{
    public static TheoryData<string, object, bool> Bounds
    {
        get
        {
            var data = new TheoryData<string, object, bool>();
            void Durations(string option, TimeSpan minimum, TimeSpan maximum)
            {
                data.Add(option, minimum, true);
                data.Add(option, maximum, true);
                data.Add(option, minimum - TimeSpan.FromTicks(1), false);
                data.Add(option, maximum + TimeSpan.FromTicks(1), false);
                data.Add(option, TimeSpan.Zero, false);
                data.Add(option, TimeSpan.MaxValue, false);
            }

            void Counts(string option, int minimum, int maximum)
            {
                data.Add(option, minimum, true);
                data.Add(option, maximum, true);
                data.Add(option, minimum - 1, false);
                data.Add(option, int.MinValue, false);
                if (maximum < int.MaxValue)
                {
                    data.Add(option, maximum + 1, false);
                }
            }

            Durations(nameof(MemcachedCacheOptions.DefaultTimeToLive), TimeSpan.FromSeconds(1), TimeSpan.FromDays(365));
            Durations(nameof(MemcachedCacheOptions.OperationTimeout), TimeSpan.FromMilliseconds(20), TimeSpan.FromMinutes(1));
            Durations(nameof(MemcachedCacheOptions.ConnectTimeout), TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1));
            Durations(nameof(MemcachedCacheOptions.IdleTimeout), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
            data.Add(nameof(MemcachedCacheOptions.IdleTimeout), Timeout.InfiniteTimeSpan, true);
            data.Add(nameof(MemcachedCacheOptions.OperationTimeout), Timeout.InfiniteTimeSpan, false);
            Durations(nameof(MemcachedCacheOptions.ReconnectDelay), TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));
            Durations(nameof(MemcachedCacheOptions.MaximumReconnectDelay), TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10));
            Durations(nameof(MemcachedCacheOptions.AttemptTimeout), TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1));
            Durations(nameof(MemcachedCacheOptions.RetryDelay), TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(10));
            Durations(nameof(MemcachedCacheOptions.GutterTimeToLive), TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
            Durations(nameof(MemcachedCacheOptions.BreakerSamplingDuration), TimeSpan.FromSeconds(0.5), TimeSpan.FromMinutes(10));
            Durations(nameof(MemcachedCacheOptions.DnsRefreshInterval), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
            data.Add(nameof(MemcachedCacheOptions.DnsRefreshInterval), Timeout.InfiniteTimeSpan, true);
            Durations(nameof(MemcachedCacheOptions.DiscoveryInterval), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
            data.Add(nameof(MemcachedCacheOptions.Discovery), "mc.cfg.example.com", true);
            data.Add(nameof(MemcachedCacheOptions.Discovery), "mc.cfg.example.com:11212;discover=cluster", true);
            data.Add(nameof(MemcachedCacheOptions.Discovery), "_memcached._tcp.mc.default.svc", true);
            data.Add(nameof(MemcachedCacheOptions.Discovery), "mc.default.svc;discover=srv", true);
            data.Add(nameof(MemcachedCacheOptions.Discovery), "mc.cfg.example.com:0", false);
            data.Add(nameof(MemcachedCacheOptions.Discovery), "mc.cfg.example.com;weight=2", false);
            data.Add(nameof(MemcachedCacheOptions.Discovery), "mc1.cfg,mc2.cfg", false);
            data.Add(nameof(MemcachedCacheOptions.Servers), new[] { "mc1", "mc.cfg;discover=cluster" }, true);
            Counts(nameof(MemcachedCacheOptions.MaximumRetries), 0, 10);
            Counts(nameof(MemcachedCacheOptions.BreakerMinimumThroughput), 2, 1_000_000);
            data.Add(nameof(MemcachedCacheOptions.BreakerFailureRatio), 0.01, true);
            data.Add(nameof(MemcachedCacheOptions.BreakerFailureRatio), 1.0, true);
            data.Add(nameof(MemcachedCacheOptions.BreakerFailureRatio), 0.0, false);
            data.Add(nameof(MemcachedCacheOptions.BreakerFailureRatio), 1.01, false);
            data.Add(nameof(MemcachedCacheOptions.BreakerFailureRatio), double.NaN, false);
            data.Add(nameof(MemcachedCacheOptions.Topology), MemcachedTopology.Shared, true);
            data.Add(nameof(MemcachedCacheOptions.Topology), (MemcachedTopology)2, false);
            data.Add(nameof(MemcachedCacheOptions.Failover), MemcachedFailover.None, true);
            data.Add(nameof(MemcachedCacheOptions.Failover), (MemcachedFailover)2, false);
            data.Add(nameof(MemcachedCacheOptions.Protocol), MemcachedProtocol.Classic, true);
            data.Add(nameof(MemcachedCacheOptions.Protocol), (MemcachedProtocol)3, false);
            Counts(nameof(MemcachedCacheOptions.MaximumValueBytes), 1, 1_073_741_824);
            Counts(nameof(MemcachedCacheOptions.ConnectionsPerNode), 1, 64);
            Counts(nameof(MemcachedCacheOptions.MaximumPendingOperations), 1, 1_000_000);
            Counts(nameof(MemcachedCacheOptions.MaximumBufferedBytes), 65_536, int.MaxValue);
            data.Add(nameof(MemcachedCacheOptions.OversizeBehavior), MemcachedOversizeBehavior.Skip, true);
            data.Add(nameof(MemcachedCacheOptions.OversizeBehavior), (MemcachedOversizeBehavior)7, false);
            data.Add(nameof(MemcachedCacheOptions.FailureMode), MemcachedFailureMode.Throw, true);
            data.Add(nameof(MemcachedCacheOptions.FailureMode), (MemcachedFailureMode)(-1), false);
            data.Add(nameof(MemcachedCacheOptions.Namespace), "shop:", true);
            data.Add(nameof(MemcachedCacheOptions.Namespace), new string('n', 205), true);
            data.Add(nameof(MemcachedCacheOptions.Namespace), new string('n', 206), false);
            data.Add(nameof(MemcachedCacheOptions.Namespace), "a|b", false);
            data.Add(nameof(MemcachedCacheOptions.Namespace), "#a", false);
            data.Add(nameof(MemcachedCacheOptions.Servers), new[] { "mc1", "mc2:11211;weight=2" }, true);
            data.Add(nameof(MemcachedCacheOptions.Servers), Array.Empty<string>(), false);
            data.Add(nameof(MemcachedCacheOptions.Servers), new[] { "mc1", "MC1:11211" }, false);
            data.Add(nameof(MemcachedCacheOptions.Servers), new[] { "mc1:0" }, false);
            data.Add(nameof(MemcachedCacheOptions.Servers), new string[] { null! }, false);
            data.Add(nameof(MemcachedCacheOptions.Servers), new[] { "[::1]", "[0:0:0:0:0:0:0:1]" }, false);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Every_option_has_its_bounds(string option, object value, bool valid)
    {
        MemcachedCacheOptions options = Valid();
        typeof(MemcachedCacheOptions).GetProperty(option)!.SetValue(options, value);
        string[] failures = [.. Failures(options).Where(f => f.Contains(option + " is", StringComparison.Ordinal))];
        if (valid)
        {
            Assert.DoesNotContain(failures, f => !f.Contains("less than", StringComparison.Ordinal) && !f.Contains("not more", StringComparison.Ordinal));
            return;
        }

        string failure = Assert.Single(
            failures,
            static f => !f.Contains("less than", StringComparison.Ordinal) && !f.Contains("not more", StringComparison.Ordinal));
        string shown = value switch
        {
            string text => $"'{text}'",
            string[] list => $"[{string.Join(", ", list)}]",
            _ => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!,
        };
        Assert.Contains(shown, failure, StringComparison.Ordinal);
        Assert.Matches("set it to|use up to|name |is not a server", failure);
    }

    [Theory]
    [InlineData(nameof(MemcachedCacheOptions.Namespace))]
    [InlineData(nameof(MemcachedCacheOptions.Servers))]
    public void Null_is_refused(string option)
    {
        MemcachedCacheOptions options = Valid();
        typeof(MemcachedCacheOptions).GetProperty(option)!.SetValue(options, null);
        Assert.Contains(Failures(options), f => f.Contains($"{option} is null", StringComparison.Ordinal));
    }

    [Fact]
    public void An_attempt_must_leave_time_for_a_retry()
    {
        MemcachedCacheOptions options = Valid();
        options.AttemptTimeout = options.OperationTimeout - TimeSpan.FromTicks(1);
        Assert.Empty(Failures(options));
        options.AttemptTimeout = options.OperationTimeout;
        Assert.Matches(
            "AttemptTimeout is 00:00:01, not less than OperationTimeout, which is 00:00:01; .* or set MaximumRetries to 0",
            Assert.Single(Failures(options)));
        options.MaximumRetries = 0;
        Assert.Empty(Failures(options));
    }

    [Fact]
    public void A_retry_must_begin_within_the_limit()
    {
        MemcachedCacheOptions options = Valid();
        options.RetryDelay = options.OperationTimeout;
        Assert.Matches("RetryDelay is 00:00:01, not less than OperationTimeout", Assert.Single(Failures(options)));
        options.MaximumRetries = 0;
        Assert.Empty(Failures(options));
    }

    [Fact]
    public void An_option_alone_asks_for_no_other()
    {
        MemcachedCacheOptions options = Valid();
        options.OperationTimeout = TimeSpan.FromMinutes(1);
        Assert.Empty(Failures(options));
        options.OperationTimeout = TimeSpan.FromMilliseconds(20);
        Assert.Empty(Failures(options));
    }

    [Fact]
    public void Reconnect_delays_must_be_in_order()
    {
        MemcachedCacheOptions options = Valid();
        options.ReconnectDelay = options.MaximumReconnectDelay = TimeSpan.FromSeconds(3);
        Assert.Empty(Failures(options));
        options.MaximumReconnectDelay = TimeSpan.FromSeconds(2.999);
        string failure = Assert.Single(Failures(options));
        Assert.Matches("MaximumReconnectDelay is 00:00:02.9990000, less than ReconnectDelay, which is 00:00:03; raise", failure);
    }

    [Fact]
    public void Idle_must_be_longer_than_an_operation()
    {
        MemcachedCacheOptions options = Valid();
        options.OperationTimeout = options.IdleTimeout = TimeSpan.FromSeconds(5);
        Assert.Matches("IdleTimeout is 00:00:05, not more than OperationTimeout", Assert.Single(Failures(options)));
        options.IdleTimeout = Timeout.InfiniteTimeSpan;
        Assert.Empty(Failures(options));
    }

    [Fact]
    public void The_defaults_are_valid_but_for_the_servers()
        => Assert.Contains("name at least one server", Assert.Single(Failures(new MemcachedCacheOptions())), StringComparison.Ordinal);

    [Fact]
    public void An_endpoint_takes_the_place_of_servers_and_is_named_once()
    {
        var options = new MemcachedCacheOptions { Discovery = "mc.cfg.example.com" };
        Assert.Empty(Failures(options));
        options.Servers = ["mc1", "mc.cfg.example.com:11211;discover=cluster"];
        Assert.Empty(Failures(options));
        options.Servers = ["mc1", "other.cfg.example.com;discover=cluster"];
        Assert.Matches("Servers has 'other.cfg.example.com' to be asked for servers .'discover='., and another endpoint", Assert.Single(Failures(options)));
        options.Discovery = "";
        Assert.Empty(Failures(options));
        options.Servers = ["mc1.cfg;discover=cluster", "mc2.cfg;discover=cluster"];
        Assert.Matches("another endpoint", Assert.Single(Failures(options)));
    }

    [Fact]
    public void A_source_takes_the_place_of_servers_and_is_the_only_one_to_tell_them()
    {
        var options = new MemcachedCacheOptions();
        options.UseServerSource(new SourceListerTests());
        Assert.Empty(Failures(options));
        options.Servers = ["mc1"];
        Assert.Empty(Failures(options));
        options.Servers = ["mc.cfg;discover=cluster"];
        Assert.Matches("service 'mc' is to tell them as well", Assert.Single(Failures(options)));
        (options.Servers, options.Discovery) = ([], "mc.cfg");
        Assert.Matches("service 'mc' is to tell them as well", Assert.Single(Failures(options)));
    }

    [Fact]
    public void All_faults_are_reported_together()
    {
        var options = new MemcachedCacheOptions
        {
            Namespace = "a b",
            ConnectionsPerNode = 0,
            IdleTimeout = TimeSpan.FromSeconds(1),
            OperationTimeout = TimeSpan.FromSeconds(2),
        };
        OptionsValidationException thrown = Assert.Throws<OptionsValidationException>(() => new MemcachedCache(options));
        Assert.Equal(4, thrown.Failures.Count());
    }

    private static MemcachedCacheOptions Valid() => new() { Servers = ["mc1"] };

    private static IEnumerable<string> Failures(MemcachedCacheOptions options)
    {
        try
        {
            OptionsGuard.ThrowIfInvalid(options);
            return [];
        }
        catch (OptionsValidationException exception)
        {
            return exception.Failures;
        }
    }
}
