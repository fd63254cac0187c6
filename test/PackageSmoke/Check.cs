internal static class Check
{
    /// <summary>Ends the program if something does not hold.</summary>
    public static void That(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvalidOperationException("Expected that " + what + ".");
        }
    }
}
