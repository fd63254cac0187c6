using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>
/// The JSON schema by which editors complete the <c>Memcached</c> section is made here, from the options class, its rules and its
/// documentation; the file in the repository, which the package carries, must be what is made.
/// </summary>
public sealed partial class SchemaTests
{
    private const string File = "ConfigurationSchema.json";

    /// <summary>What <see cref="TimeSpan.Parse(string)"/> takes: days, hours:minutes, or [days.]hours:minutes:seconds[.fraction].</summary>
    private const string TimeSpanPattern = @"^-?(\d{1,8}|(\d{1,8}\.)?\d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,7})?)?)$";

    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The options of a base class come before those of the class itself.</summary>
    private static PropertyInfo[] PropertiesOf(Type options)
        => [.. options.GetProperties().OrderBy(property => property.DeclaringType == options).ThenBy(static property => property.MetadataToken)];

    private static readonly XElement[] Documentation =
    [
        XElement.Load(Path.Combine(AppContext.BaseDirectory, "MemcachedDistributedCache.xml")),
        XElement.Load(Path.Combine(AppContext.BaseDirectory, "MemcachedDistributedCache.Client.xml")),
    ];

    [Fact]
    public void The_file_is_what_the_options_say()
    {
        string actual = Make().ToJsonString(Format).ReplaceLineEndings("\n") + "\n";
        string expected = System.IO.File.ReadAllText(Path.Combine(AppContext.BaseDirectory, File)).ReplaceLineEndings("\n");
        if (actual == expected)
        {
            return;
        }

        string written = Path.Combine(AppContext.BaseDirectory, "ConfigurationSchema.actual.json");
        System.IO.File.WriteAllText(written, actual);
        string[] before = expected.Split('\n');
        string[] now = actual.Split('\n');
        Assert.Fail(
            "src/MemcachedDistributedCache/ConfigurationSchema.json is not what the options say. If the change is meant, copy\n"
                + $"{written}\nover that file.\n"
                + string.Join(
                    '\n',
                    before
                        .Except(now, StringComparer.Ordinal)
                        .Select(static line => "- " + line.Trim())
                        .Concat(now.Except(before, StringComparer.Ordinal).Select(static line => "+ " + line.Trim()))));
    }

    [Fact]
    public void Every_option_is_there_with_type_default_and_description()
    {
        AssertAll(Schema()["properties"]!.AsObject(), new MemcachedCacheOptions());
        AssertAll(Schema()["properties"]!["Tls"]!["properties"]!.AsObject(), new MemcachedTlsOptions());
        AssertAll(Schema()["properties"]!["Hybrid"]!["properties"]!.AsObject(), new MemcachedHybridCacheOptions());
    }

    private static void AssertAll(JsonObject options, object defaults)
    {
        PropertyInfo[] properties = PropertiesOf(defaults.GetType());
        Assert.Equal(properties.Select(static p => p.Name), options.Select(static o => o.Key));
        foreach (PropertyInfo property in properties)
        {
            JsonObject option = options[property.Name]!.AsObject();
            Assert.True(option["description"]!.GetValue<string>().Length > 30, property.Name);
            Assert.Equal(
                property.Name is not (nameof(MemcachedCacheOptions.Servers) or nameof(MemcachedCacheOptions.Hybrid) or nameof(MemcachedCacheOptions.Tls))
                    && property.GetValue(defaults) is not null,
                option.ContainsKey("default"));
            if (property.GetValue(defaults) is TimeSpan span)
            {
                // What the schema takes, the parser takes, and the other way round.
                Assert.Matches(TimeSpanPattern, option["default"]!.GetValue<string>());
                Assert.Equal(span, TimeSpan.Parse(option["default"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture));
                DurationAttribute range = property.GetCustomAttribute<DurationAttribute>()!;
                Assert.Matches(TimeSpanPattern, range.Minimum);
                Assert.Matches(TimeSpanPattern, range.Maximum);
                Assert.Contains($"{range.Minimum} to {range.Maximum}", option["description"]!.GetValue<string>(), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void The_read_me_sample_fits()
    {
        foreach (string sample in (string[])["00:00:00.250", "1", "12:30", "1.00:00:00", "-00:00:00.001", "365.00:00:00"])
        {
            Assert.Matches(TimeSpanPattern, sample);
            _ = TimeSpan.Parse(sample, System.Globalization.CultureInfo.InvariantCulture);
        }

        Assert.All((string[])["1s", "", "00:00:01:00", "PT1S", "1.5"], static wrong => Assert.DoesNotMatch(TimeSpanPattern, wrong));
    }

    private static JsonNode Schema() => JsonNode.Parse(System.IO.File.ReadAllText(Path.Combine(AppContext.BaseDirectory, File)))!["properties"]!["Memcached"]!;

    private static JsonObject Make()
    {
        return new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["Memcached"] = new JsonObject
                {
                    ["type"] = "object",
                    ["description"] = Summary("T:" + typeof(MemcachedCacheOptions).FullName),
                    ["properties"] = Options(new MemcachedCacheOptions()),
                    ["additionalProperties"] = false,
                },
            },
        };
    }

    private static JsonObject Options(object defaults)
    {
        var options = new JsonObject();
        foreach (PropertyInfo property in PropertiesOf(defaults.GetType()))
        {
            options[property.Name] = Option(property, property.GetValue(defaults));
        }

        return options;
    }

    private static JsonObject Option(PropertyInfo property, object? value)
    {
        string description = Summary($"P:{property.DeclaringType!.FullName}.{property.Name}");
        Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        JsonObject option = [];
        switch (property.GetCustomAttributes().OfType<OptionAttribute>().SingleOrDefault())
        {
            case DurationAttribute range:
                option["type"] = "string";
                option["pattern"] = TimeSpanPattern;
                if (value is TimeSpan span)
                {
                    option["default"] = span.ToString("c");
                }

                description += $" ({range.Minimum} to {range.Maximum}{(range.AllowInfinite ? ", or -00:00:00.001" : "")})";
                break;
            case CountAttribute range:
                option["type"] = "integer";
                option["minimum"] = range.Minimum;
                option["maximum"] = range.Maximum;
                option["default"] = (int)value!;
                break;
            case ShareAttribute range:
                option["type"] = "number";
                option["minimum"] = range.Minimum;
                option["maximum"] = range.Maximum;
                option["default"] = (double)value!;
                break;
            case null when value is MemcachedHybridCacheOptions or MemcachedTlsOptions:
                option["type"] = "object";
                option["properties"] = Options(value);
                option["additionalProperties"] = false;
                break;
            case OneOfAttribute one:
                option["enum"] = new JsonArray([.. Enum.GetNames(one.Type).Select(static name => (JsonNode)name)]);
                option["default"] = value!.ToString();
                description += !one.Type.FullName!.StartsWith("Memcached", StringComparison.Ordinal) ? "" : string.Concat(Enum.GetNames(one.Type).Select(name => $" {name}: {Summary($"F:{one.Type.FullName}.{name}")}"));
                break;
            case TextAttribute or SecretAttribute:
                option["type"] = "string";
                option["minLength"] = 1;
                break;
            case TlsProtocolsAttribute:
                option["enum"] = new JsonArray("None", "Tls12", "Tls13", "Tls12, Tls13");
                option["default"] = value!.ToString();
                break;
            case KeyNamespaceAttribute:
                option["type"] = "string";
                option["maxLength"] = MemcachedDistributedCache.Client.KeyEncoder.MaximumNamespaceLength;
                option["pattern"] = "^([!-\"$-{}~][!-{}~]*)?$";
                option["default"] = (string)value!;
                break;
            case EndpointAttribute:
                option["type"] = "string";
                option["minLength"] = 1;
                break;
            case ServersAttribute:
                option["anyOf"] = new JsonArray(
                    new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" }, ["minItems"] = 1, ["uniqueItems"] = true },
                    new JsonObject { ["type"] = "string", ["minLength"] = 1 });
                break;
            default:
                Assert.True(type == typeof(bool), $"say here how the rule of {property.Name} is told in JSON schema");
                option["type"] = "boolean";
                if (value is bool flag)
                {
                    option["default"] = flag;
                }

                break;
        }

        option["description"] = description;
        return option;
    }

    /// <summary>The summary of a member as plain text.</summary>
    private static string Summary(string id)
    {
        XElement summary = Documentation
            .SelectMany(static document => document.Descendants("member"))
            .Single(member => member.Attribute("name")!.Value == id)
            .Element("summary")!;
        string text = string.Concat(
            summary
                .Nodes()
                .Select(static node =>
                    node switch
                    {
                        XElement { Name.LocalName: "see" } see => (see.Attribute("langword") ?? see.Attribute("cref"))!.Value.Split(
                            '.',
                            ':')[^1],
                        XElement element => element.Value,
                        _ => node.ToString(),
                    }));
        return Spaces().Replace(System.Net.WebUtility.HtmlDecode(text), " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
