using System.Globalization;

namespace MemcachedDistributedCache.Load;

/// <summary>
/// How much of the machine others took while something was measured: this program, the servers that it started and others share its cores,
/// and a figure from a machine in use by others says little. From /proc; of other systems it tells nothing.
/// </summary>
internal sealed class Neighbours
{
    private Times _before = Times.Now;

    /// <summary>The load average, and what others take for a second in which this program does nothing.</summary>
    public static async Task<string> LookAsync(CancellationToken cancellationToken)
    {
        var neighbours = new Neighbours();
        await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
        string load = File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
        return $"load average {load}; {neighbours.Share()}";
    }

    /// <summary>What others took since the last call, in words.</summary>
    public string Share()
    {
        Times now = Times.Now;
        double all = now.All - _before.All;
        double others = now.Busy - _before.Busy - (now.Own - _before.Own);
        _before = now;
        return all <= 0 ? "what others take is unknown" : $"others take {Math.Clamp(others / all, 0, 1):0 %} of all cores";
    }

    /// <summary>Ticks since the machine's start: of all cores, of those that worked, and of this process with all its descendants.</summary>
    private sealed record Times(double All, double Busy, double Own)
    {
        public static Times Now
        {
            get
            {
                if (!File.Exists("/proc/stat"))
                {
                    return new Times(0, 0, 0);
                }

                // user, nice, system, idle, waiting for disks, interrupts, the same in software, stolen by the host
                double[] cores = [.. Numbers(File.ReadLines("/proc/stat").First()[4..]).Take(8)];
                double rest = cores[3] + cores[4];
                return new Times(cores.Sum(), cores.Sum() - rest, OwnTicks());
            }
        }

        private static double OwnTicks()
        {
            // After the name, which may have blanks: state, parent, …, and as 12th and 13th user and system time.
            var processes = Directory.EnumerateDirectories("/proc")
                .Where(static path => int.TryParse(Path.GetFileName(path), out _))
                .Select(static path => (Id: int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture), Fields: FieldsOf(path)))
                .Where(static process => process.Fields.Length > 12)
                .ToDictionary(static process => process.Id, static process => (Parent: (int)process.Fields[0], Ticks: process.Fields[10] + process.Fields[11]));
            bool IsOwn(int id) => id == Environment.ProcessId || (processes.TryGetValue(id, out var process) && IsOwn(process.Parent));
            return processes.Where(process => IsOwn(process.Key)).Sum(static process => process.Value.Ticks);
        }

        private static double[] FieldsOf(string path)
        {
            try
            {
                string text = File.ReadAllText(Path.Combine(path, "stat"));
                return Numbers(text[(text.LastIndexOf(')') + 4)..]);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // The process has ended.
                return [];
            }
        }

        private static double[] Numbers(string text)
            => [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static number => double.Parse(number, CultureInfo.InvariantCulture))];
    }
}
