using System.Text.RegularExpressions;

namespace MemcachedDistributedCache.Tests.Product;

/// <summary>A link from one document of the repository to another leads to a file that is there, and to a heading that it has.</summary>
public sealed partial class DocumentLinkTests
{
    private static readonly string Root = FindRoot();

    [Fact]
    public void Every_link_between_documents_leads_somewhere()
    {
        string[] documents = [.. FindDocuments()];
        Assert.True(documents.Length > 30, "The documents were not found.");
        var broken = new List<string>();
        foreach (string document in documents)
        {
            foreach (
                string link in Link()
                    .Matches(Prose(document))
                    .Select(static match => match.Groups[1].Value)
                    .Where(static link => !link.Contains("://", StringComparison.Ordinal)))
            {
                string[] parts = link.Split('#');
                string target = parts[0].Length == 0 ? document : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(document)!, parts[0]));
                if (!Path.Exists(target) || (parts.Length > 1 && !AnchorsOf(target).Contains(parts[1])))
                {
                    broken.Add($"{Path.GetRelativePath(Root, document)}: {link}");
                }
            }
        }

        Assert.Empty(broken);
    }

    private static IEnumerable<string> FindDocuments()
        => Directory
            .EnumerateFiles(Root, "*.md")
            .Concat(
                ((string[])["bench", "docs", "samples", "src"]).SelectMany(static folder =>
                    Directory.EnumerateFiles(Path.Combine(Root, folder), "*.md", SearchOption.AllDirectories)))
            .Where(static file =>
                !file.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                && !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

    /// <summary>GitHub's anchors of a document: a heading that comes again has a number behind it.</summary>
    private static HashSet<string> AnchorsOf(string document)
    {
        var anchors = new HashSet<string>(StringComparer.Ordinal);
        foreach (string heading in Heading().Matches(Prose(document)).Select(static match => match.Groups["text"].Value))
        {
            string anchor = NoAnchor().Replace(LinkText().Replace(heading.Trim(), "$1").ToLowerInvariant(), "").Replace(' ', '-');
            string free = anchor;
            for (int i = 1; !anchors.Add(free); i++)
            {
                free = $"{anchor}-{i}";
            }
        }

        return anchors;
    }

    private static string Prose(string document) => Fence().Replace(File.ReadAllText(document).ReplaceLineEndings("\n"), "");

    private static string FindRoot()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "MemcachedDistributedCache.sln")))
        {
            root = Path.GetDirectoryName(root)!;
        }

        return root;
    }

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex LinkText();

    [GeneratedRegex("^#+ (?<text>.*)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoAnchor();
}
