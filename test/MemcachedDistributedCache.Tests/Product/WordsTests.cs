using System.Text.RegularExpressions;

namespace MemcachedDistributedCache.Tests.Product;

/// <summary>
/// One word for one thing: what docs/glossary.md has a word for is called by no other, in code, tests, documents,
/// metrics and messages.
/// </summary>
public sealed partial class WordsTests
{
    private static readonly string[] Folders = ["src", "test", "docs", "bench", "samples"];

    [Fact]
    public void No_word_that_was_given_up_is_left()
    {
        string root = FileLengthTests.Root();
        string[] built =
        [
            $"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}",
            $"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}",
            $"{Path.DirectorySeparatorChar}artifacts{Path.DirectorySeparatorChar}",
        ];
        IEnumerable<string> files = Folders
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateFiles(root, "*.md"))
            .Where(file =>
                Path.GetExtension(file) is ".cs" or ".md" or ".json" or ".csproj" or ".yaml" or ".yml"
                && !built.Any(folder => file.Contains(folder, StringComparison.Ordinal)))
            .Where(static file => Path.GetFileName(file) != "WordsTests.cs");
        int read = 0;
        var found = new List<string>();
        foreach (string file in files)
        {
            read++;
            int number = 0;
            foreach (string line in File.ReadLines(file))
            {
                number++;
                found.AddRange(GivenUp().Matches(line).Select(match => $"{Path.GetRelativePath(root, file)}:{number}: {match.Value}"));
            }
        }

        Assert.True(read > 300, $"only {read} files were read");
        Assert.True(found.Count == 0, "docs/glossary.md has another word for these:\n" + string.Join('\n', found));
    }

    [Theory]
    [InlineData("the key is in doubt")]
    [InlineData("SuspectKeys")]
    [InlineData("a stand-in")]
    [InlineData("_sweeper")]
    [InlineData("the flights under way")]
    public void A_word_that_was_given_up_is_found(string text) => Assert.Matches(GivenUp(), text);

    [Theory]
    [InlineData("a single flight")]
    [InlineData("in-flight request")]
    [InlineData("Math.Floor(x)")]
    public void A_word_of_the_field_is_not(string text) => Assert.DoesNotMatch(GivenUp(), text);

    [GeneratedRegex("""
        [Ss]uspect|[Ss]uspicio|\b[Ii]n\ doubt\b|[Dd]oubt(s|ed|ful)\b|[Dd]istrust|ItemTrust|(?<!Math\.)Floor|\bfloors?\b|RenumberingWatch|[Ss]tand-?[Ii]ns?\b|\b[Dd]etour|
        \b[Ll]anes?\b|NodeLanes|\b[Tt]ickets?\b|ItemTicket|[Gg]reeting|\b[Pp]umps?\b|[Ss]weep|\b[Rr]oused?\b|[Pp]rolong|\bVerdict|\bverdict|own\ memory|own\ copies|mayStillHappen|
        (?<![Ss]ingle[-\s])(?<!in-)(?<!SingleF)\b[Ff]lights?\b
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex GivenUp();
}
