using System.Collections;
using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MemcachedDistributedCache.AspNetCore;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>
/// The reference of options in docs/options.md is made here, from the options classes, their rules and their XML
/// documentation. The beginning of the document, down to <see cref="Mark"/>, is written by hand.
/// </summary>
public sealed partial class OptionsDocumentTests
{
    private const string Mark = "<!-- From here on a test makes the text from the XML documentation of the options. Change it there. -->\n";
    private const int LineLength = 120;

    private static readonly Group[] Groups =
    [
        new("The client", "", new MemcachedClientOptions()),
        new("The cache", "", new MemcachedCacheOptions()),
        new("Encrypted connections", "Tls:", new MemcachedTlsOptions()),
        new("The hybrid cache", "Hybrid:", new MemcachedHybridCacheOptions()),
        new("Output caching", "", new MemcachedOutputCacheOptions()),
        new("The embedded servers", "", new EmbeddedMemcachedOptions()),
    ];

    private static readonly Dictionary<string, string> Summaries = Groups
        .Select(static group => group.Defaults.GetType().Assembly)
        .Append(typeof(MemcachedFailover).Assembly)
        .Distinct()
        .SelectMany(static assembly => XElement.Load(Path.Combine(AppContext.BaseDirectory, assembly.GetName().Name + ".xml")).Descendants("member"))
        .Where(static member => member.Element("summary") is not null)
        .DistinctBy(static member => member.Attribute("name")!.Value, StringComparer.Ordinal)
        .ToDictionary(static member => member.Attribute("name")!.Value, static member => Text(member.Element("summary")!), StringComparer.Ordinal);

    private static readonly string Document = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "options.md")).ReplaceLineEndings("\n");

    [Fact]
    public void The_document_is_what_the_options_say()
    {
        string actual = Document[..(Document.IndexOf(Mark, StringComparison.Ordinal) + Mark.Length)] + Make();
        if (actual == Document)
        {
            return;
        }

        string written = Path.Combine(AppContext.BaseDirectory, "options.actual.md");
        File.WriteAllText(written, actual);
        string[] before = Document.Split('\n');
        string[] now = actual.Split('\n');
        Assert.Fail(
            $"docs/options.md is not what the options say. If the change is meant, copy\n{written}\nover that file.\n"
                + string.Join(
                    '\n',
                    before
                        .Except(now, StringComparer.Ordinal)
                        .Select(static line => "- " + line)
                        .Concat(now.Except(before, StringComparer.Ordinal).Select(static line => "+ " + line))));
    }

    /// <summary>Reads the tables that are in the file, so that a mistake of the generator is found too.</summary>
    [Fact]
    public void The_options_tables_have_every_option_with_its_default()
    {
        foreach (Group group in Groups)
        {
            AssertTable(group);
        }
    }

    [Fact]
    public void Every_link_to_an_option_leads_to_its_heading()
    {
        string[] headings = [.. Document.Split('\n').Where(static line => line.StartsWith('#')).Select(static line => Anchor(line.TrimStart('#').Trim()))];
        Assert.Equal(headings.Distinct(StringComparer.Ordinal), headings);
        string[] links = [.. LocalLink().Matches(Document).Select(static match => match.Groups[1].Value)];
        Assert.True(links.Length > 50);
        Assert.Empty(links.Except(headings, StringComparer.Ordinal));
    }

    private static void AssertTable(Group group)
    {
        Dictionary<string, string> table = Document.Split('\n')
            .SkipWhile(line => line != "## " + group.Title)
            .SkipWhile(static line => !line.StartsWith("|---", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(static line => line.StartsWith('|'))
            .Select(static line => line.Split('|'))
            .ToDictionary(static cells => OptionName().Match(cells[1]).Groups[1].Value, static cells => cells[2].Trim(), StringComparer.Ordinal);

        PropertyInfo[] properties = PropertiesOf(group);
        Assert.Equal(properties.Select(property => group.Prefix + property.Name), table.Keys);
        foreach (PropertyInfo property in properties)
        {
            string written = table[group.Prefix + property.Name].Trim('`');
            switch (property.GetValue(group.Defaults))
            {
                case IList<string> list:
                    Assert.Empty(list);
                    Assert.StartsWith("none", written, StringComparison.Ordinal);
                    break;
                case IDictionary<string, string> map:
                    Assert.Empty(map);
                    Assert.Equal("none", written);
                    break;
                case string text:
                    Assert.Equal($"\"{text}\"", written);
                    break;
                case TimeSpan span:
                    Assert.Equal(span, TimeSpan.Parse(written, CultureInfo.InvariantCulture));
                    break;
                case TimeProvider clock:
                    Assert.Same(TimeProvider.System, clock);
                    Assert.Equal("TimeProvider.System", written);
                    break;
                case object value:
                    Assert.Equal(Convert.ToString(value, CultureInfo.InvariantCulture), written, ignoreCase: true);
                    break;
                default:
                    Assert.Equal("not set", written);
                    break;
            }
        }
    }

    /// <summary>The options that the class has itself; those of a base class stand in the group of that.</summary>
    private static PropertyInfo[] PropertiesOf(Group group)
        => [
            .. group
                .Defaults.GetType()
                .GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                .Where(static property => property.PropertyType != typeof(MemcachedHybridCacheOptions) && property.PropertyType != typeof(MemcachedTlsOptions))
                .OrderBy(static property => property.MetadataToken),
        ];

    private static string Make()
    {
        var text = new StringBuilder();
        foreach (Group group in Groups)
        {
            PropertyInfo[] properties = PropertiesOf(group);
            Type type = group.Defaults.GetType();
            bool hasRanges = Array.Exists(properties, static property => RangeOf(property) is not null);
            text.Append($"\n## {group.Title}\n\n").Append(Wrap($"`{type.Name}`. {Summaries["T:" + type.FullName]}")).Append('\n');
            text.Append(hasRanges ? "\n| option | default | range |\n|---|---|---|\n" : "\n| option | default |\n|---|---|\n");
            foreach (PropertyInfo property in properties)
            {
                string name = group.Prefix + property.Name;
                text.Append($"| [`{name}`](#{Anchor(name)}) | {Default(property.GetValue(group.Defaults))} |")
                    .Append(hasRanges ? $" {RangeOf(property) ?? "true or false"} |\n" : "\n");
            }

            foreach (PropertyInfo property in properties)
            {
                text.Append($"\n### {group.Prefix}{property.Name}\n\n").Append(Wrap(Summaries[$"P:{type.FullName}.{property.Name}"])).Append('\n');
                if (property.PropertyType.Assembly == typeof(MemcachedFailover).Assembly || property.PropertyType.Assembly == type.Assembly)
                {
                    text.Append('\n');
                    foreach (string name in Enum.GetNames(property.PropertyType))
                    {
                        text.Append(Wrap($"- `{name}`: {Summaries[$"F:{property.PropertyType.FullName}.{name}"]}", "  ")).Append('\n');
                    }
                }
            }
        }

        return text.ToString();
    }

    private static string Default(object? value) => value switch
    {
        null => "not set",
        string text => $"`\"{text}\"`",
        TimeSpan span => $"`{TrailingZeros().Replace(span.ToString("c"), "")}`",
        TimeProvider => "`TimeProvider.System`",
        bool flag => flag ? "`true`" : "`false`",
        IEnumerable => "none",
        _ => $"`{Convert.ToString(value, CultureInfo.InvariantCulture)}`",
    };

    private static string? RangeOf(PropertyInfo property) => property.GetCustomAttributes().OfType<OptionAttribute>().SingleOrDefault() switch
    {
        DurationAttribute range => $"`{range.Minimum}` to `{range.Maximum}`{(range.AllowInfinite ? ", or `-00:00:00.001`" : "")}",
        CountAttribute range => $"{range.Minimum} to {range.Maximum}",
        ShareAttribute range => string.Create(CultureInfo.InvariantCulture, $"{range.Minimum} to {range.Maximum}"),
        OneOfAttribute one => string.Join(", ", Enum.GetNames(one.Type).Select(static name => $"`{name}`")),
        KeyNamespaceAttribute => $"up to {MemcachedDistributedCache.Client.KeyEncoder.MaximumNamespaceLength} characters",
        EndpointAttribute => "one address",
        ServersAttribute => "at least one, none twice",
        TextAttribute or SecretAttribute => "a text",
        TlsProtocolsAttribute => "`None`, `Tls12`, `Tls13`, `Tls12, Tls13`",
        { } other => throw new InvalidOperationException($"Say here how the range of {property.Name} is told: {other.GetType().Name}."),
        null => null,
    };

    /// <summary>GitHub's anchor of a heading.</summary>
    private static string Anchor(string heading) => NoAnchor().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    /// <summary>A summary as Markdown, one line a paragraph.</summary>
    private static string Text(XElement summary)
    {
        string text = string.Concat(
            summary
                .Nodes()
                .Select(static node =>
                    node switch
                    {
                        XElement { Name.LocalName: "para" } paragraph => "\n\n" + Text(paragraph),
                        XElement { Name.LocalName: "see" } see when see.Attribute("cref") is { } cref => Reference(cref.Value),
                        XElement { Name.LocalName: "see" } see => $"`{see.Attribute("langword")!.Value}`",
                        XElement element => $"`{element.Value}`",
                        _ => WebUtility.HtmlDecode(node.ToString()),
                    }));
        return string.Join(
            "\n\n",
            text.Split("\n\n")
                .Select(static paragraph => Spaces().Replace(paragraph, " ").Trim())
                .Where(static paragraph => paragraph.Length > 0));
    }

    /// <summary>A link where the member is an option, the type and the member's name elsewhere.</summary>
    private static string Reference(string cref)
    {
        string member = Arity().Replace(cref[2..].Split('(')[0], "");
        foreach (Group group in Groups)
        {
            string type = group.Defaults.GetType().FullName + ".";
            if (cref.StartsWith("P:", StringComparison.Ordinal) && member.StartsWith(type, StringComparison.Ordinal))
            {
                string name = group.Prefix + member[type.Length..];
                return $"[`{name}`](#{Anchor(name)})";
            }
        }

        string[] parts = member.Split('.');
        return $"`{string.Join('.', parts[(cref[0] == 'T' ? ^1 : ^2)..])}`";
    }

    private static string Wrap(string text, string indent = "")
        => string.Join("\n\n", text.Split("\n\n").Select(paragraph =>
        {
            var lines = new List<string> { "" };
            foreach (string word in Word().Matches(paragraph).Select(static match => match.Value))
            {
                if (lines[^1].Trim().Length > 0 && lines[^1].Length + 1 + word.Length > LineLength)
                {
                    lines.Add(indent + word);
                }
                else
                {
                    lines[^1] += lines[^1].Length == 0 ? word : " " + word;
                }
            }

            return string.Join('\n', lines);
        }));

    /// <summary>A word, a whole piece of code, or a number with its groups of digits: each stays on one line.</summary>
    [GeneratedRegex(@"(?:`[^`]*`|(?<=\d) (?=\d{3}\b)|\S)+")]
    private static partial Regex Word();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"`+\d+|\{.*\}")]
    private static partial Regex Arity();

    [GeneratedRegex("[^a-z0-9 _-]")]
    private static partial Regex NoAnchor();

    [GeneratedRegex(@"(?<=\.\d*[1-9])0+$")]
    private static partial Regex TrailingZeros();

    [GeneratedRegex(@"\]\(#([^)]*)\)")]
    private static partial Regex LocalLink();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex OptionName();

    private sealed record Group(string Title, string Prefix, object Defaults);
}
