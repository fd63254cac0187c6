namespace MemcachedDistributedCache.Tests.Product;

public sealed class FileLengthTests
{
    private const int Longest = 400;

    [Fact]
    public void No_source_file_is_too_long()
    {
        string root = Root();
        string[] built = [$"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", $"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}"];
        string[] tooLong = [.. Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(file => !built.Any(folder => file.Contains(folder, StringComparison.Ordinal)))
            .Select(file => (Name: Path.GetRelativePath(root, file), Lines: File.ReadLines(file).Count()))
            .Where(static file => file.Lines > Longest)
            .Select(static file => $"{file.Name}: {file.Lines} lines")];
        Assert.True(tooLong.Length == 0, $"Over {Longest} lines, so a type wants to be extracted: {string.Join("; ", tooLong)}");
    }

    /// <summary>Where the solution lies.</summary>
    internal static string Root()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "MemcachedDistributedCache.sln")))
        {
            root =
                Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(root))
                ?? throw new InvalidOperationException("The repository's root was not found above the test's folder.");
        }

        return root;
    }
}
