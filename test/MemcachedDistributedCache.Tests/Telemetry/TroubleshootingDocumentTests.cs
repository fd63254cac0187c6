using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using MemcachedDistributedCache.AspNetCore;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Tests.Telemetry;

/// <summary>
/// docs/troubleshooting.md has an entry for every event that asks for somebody's attention, under the words that the
/// log has.
/// </summary>
public sealed partial class TroubleshootingDocumentTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<int, LoggerMessageAttribute> Messages = new[]
    {
        typeof(MemcachedNodeState),
        typeof(MemcachedCache),
        typeof(MemcachedOutputCacheOptions),
    }
        .SelectMany(static type => type.Assembly.GetTypes())
        .SelectMany(static type => type.GetMethods(All))
        .Select(static method => method.GetCustomAttribute<LoggerMessageAttribute>())
        .OfType<LoggerMessageAttribute>()
        .ToDictionary(static message => message.EventId);

    private static readonly string Document = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "troubleshooting.md"));

    /// <summary>The words and the id of each event that a heading names.</summary>
    private static readonly (string Words, int Id)[] Entries = [.. Heading().Matches(Document)
        .SelectMany(static heading => Entry().Matches(heading.Value))
        .Select(static entry => (entry.Groups["words"].Value, Number(entry.Groups["id"].Value)))];

    [Fact]
    public void Every_event_of_a_warning_or_more_has_one_entry()
        => Assert.Equal(
            Messages.Values.Where(static message => message.Level >= LogLevel.Warning).Select(static message => message.EventId).Order(),
            Entries.Select(static entry => entry.Id).Order());

    [Fact]
    public void Every_event_that_the_document_names_exists()
        => Assert.All(EventId().Matches(Document), static match => Assert.Contains(Number(match.Groups["id"].Value), Messages.Keys));

    [Fact]
    public void Every_entry_quotes_the_message_of_its_event()
        => Assert.All(Entries, static entry => Assert.Contains(entry.Words, Placeholder().Replace(Messages[entry.Id].Message, "…"), StringComparison.Ordinal));

    private static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);

    [GeneratedRegex("^### .*$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("\"(?<words>[^\"]+)\" \\(event (?<id>[0-9]{4})\\)", RegexOptions.ExplicitCapture)]
    private static partial Regex Entry();

    [GeneratedRegex(@"(?<=[Ee]vents? ([0-9]{4}(, | and ))*)(?<id>[0-9]{4})\b", RegexOptions.ExplicitCapture)]
    private static partial Regex EventId();

    [GeneratedRegex(@"\{\w+\}")]
    private static partial Regex Placeholder();
}
