using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using MemcachedDistributedCache.AspNetCore;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Tests.Telemetry;

/// <summary>The ids of the log, over all packages that log: one meaning each, and a line in docs/observability.md.</summary>
public sealed partial class LogTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static readonly Assembly[] Packages =
    [
        typeof(MemcachedNodeState).Assembly,
        typeof(MemcachedCache).Assembly,
        typeof(MemcachedOutputCacheOptions).Assembly,
    ];

    private static readonly FieldInfo[] Ids =
    [
        .. Packages.SelectMany(static package =>
            package.GetTypes().Single(static type => type.Name.EndsWith("EventIds", StringComparison.Ordinal)).GetFields(All)),
    ];

    private static readonly (string Method, LoggerMessageAttribute Message)[] Messages = [.. Packages
        .SelectMany(static package => package.GetTypes())
        .SelectMany(static type => type.GetMethods(All))
        .Select(static method => (method.Name, method.GetCustomAttribute<LoggerMessageAttribute>()!))
        .Where(static message => message.Item2 is not null)];

    [Fact]
    public void Event_ids_are_constants_unique_over_all_packages_and_in_the_range_of_their_package()
    {
        Assert.NotEmpty(Ids);
        Assert.All(Ids, static id => Assert.True(id.IsLiteral, id.Name));
        Assert.All(
            Ids,
            static id
                => Assert.True(
                    Array.IndexOf(Packages, id.DeclaringType!.Assembly) switch
                    {
                        0 => Value(id) is >= 1000 and < 2000,
                        1 => Value(id) is >= 2000 and < 4000,
                        _ => Value(id) is >= 4000 and < 5000,
                    },
                    $"{id.Name} is {Value(id)}: that range is another package's"));
        Assert.Empty(
            Ids.GroupBy(Value)
                .Where(static same => same.Count() > 1)
                .Select(static same => $"{same.Key} is {string.Join(" and ", same.Select(static id => id.Name))}"));
    }

    [Fact]
    public void Every_message_has_an_id_of_its_own_name()
        => Assert.Equal(
            Ids.Select(static id => (id.Name, Value(id))).Order(),
            Messages.Select(static message => (message.Method, message.Message.EventId)).Order());

    [Fact]
    public void The_document_has_every_event_with_its_level_and_name()
    {
        string document = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "observability.md"));
        string[] written =
        [
            .. EventRow()
                .Matches(document)
                .Select(static row => $"{row.Groups["id"].Value} {row.Groups["level"].Value} {row.Groups["name"].Value}"),
        ];
        Assert.Equal(
            Messages.OrderBy(static message => message.Message.EventId)
                .Select(static message => string.Create(CultureInfo.InvariantCulture, $"{message.Message.EventId} {message.Message.Level} {message.Method}")),
            written);
    }

    private static int Value(FieldInfo id) => (int)id.GetRawConstantValue()!;

    [GeneratedRegex(@"^\| (?<id>\d{4}) \| (?<level>\w+) \| `(?<name>\w+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex EventRow();
}
