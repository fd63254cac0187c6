using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Net;
using System.Text;

namespace MemcachedDistributedCache.AspNetCore.Tests.StoredFormats;

/// <summary>
/// A server that gives spoiled items for most reads, and looks at each byte that it is sent: all of them must be lines
/// of the few forms that the caches send, with keys that were meant. Its grammar is its own. It keeps what is stored,
/// and nothing of what was sent.
/// </summary>
internal sealed class StrangeServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<string, Item> _items = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _ended = new();
    private readonly List<Task> _connections = [];
    private readonly Func<string, KeyKind> _kindOf;
    private readonly Task _accepting;
    private readonly int _seed;
    private long _cas = 1;
    private long _spoiled;
    private long _bytes;

    /// <param name="seed">What the spoiled items are made from.</param>
    /// <param name="kindOf">What a key was meant for; none for one that was not.</param>
    public StrangeServer(int seed, Func<string, KeyKind> kindOf)
    {
        (_seed, _kindOf) = (seed, kindOf);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Address => _listener.LocalEndpoint.ToString()!;

    /// <summary>How many spoiled items have been given.</summary>
    public long Spoiled => Volatile.Read(ref _spoiled);

    /// <summary>How many bytes have been looked at.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>What should not have been sent; the first ones.</summary>
    public ConcurrentQueue<string> Violations { get; } = [];

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _ended.Dispose();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(_ended.Token);
                socket.NoDelay = true;
                var random = new Random(_seed + _connections.Count);
                _connections.Add(Task.Run(() => ServeAsync(socket, random)));
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task ServeAsync(Socket socket, Random random)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        PipeReader reader = PipeReader.Create(stream);
        var writer = PipeWriter.Create(stream);
        var strange = new StrangeItems(random);
        try
        {
            while (true)
            {
                ReadResult read = await reader.ReadAsync(_ended.Token);
                ReadOnlySequence<byte> buffer = read.Buffer;
                long before = buffer.Length;
                while (TryTake(ref buffer, out byte[] line, out byte[] data))
                {
                    Answer(line, data, random, strange, writer);
                }

                Interlocked.Add(ref _bytes, before - buffer.Length);
                reader.AdvanceTo(buffer.Start, buffer.End);
                await writer.FlushAsync(_ended.Token);
                if (read.IsCompleted)
                {
                    if (!buffer.IsEmpty)
                    {
                        Violate("ended within", buffer.ToArray());
                    }

                    return;
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
        }
    }

    /// <summary>A line, and the data block if it is a store.</summary>
    private bool TryTake(ref ReadOnlySequence<byte> buffer, out byte[] line, out byte[] data)
    {
        (line, data) = ([], []);
        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryReadTo(out ReadOnlySequence<byte> taken, "\r\n"u8))
        {
            if (buffer.Length > 400 && !buffer.Slice(0, 3).ToArray().AsSpan().SequenceEqual("ms "u8))
            {
                Violate("no line", buffer.Slice(0, 400).ToArray());
            }

            return false;
        }

        line = taken.ToArray();
        if (line.AsSpan().StartsWith("ms "u8))
        {
            string[] words = Encoding.Latin1.GetString(line).Split(' ');
            if (words.Length < 3 || !int.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out int length))
            {
                Violate("no length", line);
                buffer = buffer.Slice(reader.Position);
                return true;
            }

            if (reader.Remaining < length + 2)
            {
                return false;
            }

            ReadOnlySequence<byte> block = buffer.Slice(reader.Position, length + 2);
            data = block.Slice(0, length).ToArray();
            if (!block.Slice(length).ToArray().AsSpan().SequenceEqual("\r\n"u8))
            {
                Violate("data goes on after", line);
            }

            buffer = buffer.Slice(block.End);
            return true;
        }

        buffer = buffer.Slice(reader.Position);
        return true;
    }

    private void Answer(byte[] bytes, byte[] data, Random random, StrangeItems strange, PipeWriter writer)
    {
        string line = Encoding.Latin1.GetString(bytes);
        switch (line)
        {
            case "version":
                Write(writer, "VERSION 1.6.24\r\n");
                return;
            case "stats settings":
                Write(writer, "STAT item_size_max 1048576\r\nEND\r\n");
                return;
            case "mn":
                Write(writer, "MN\r\n");
                return;
        }

        string[] words = line.Split(' ');
        string key = words.Length < 3 ? "" : words[1];
        KeyKind kind = _kindOf(key);
        if (kind == KeyKind.None || !IsMeant(words, kind, data))
        {
            Violate("not meant", bytes);
            Write(writer, "ERROR\r\n");
            return;
        }

        string opaque = words[^1];
        lock (_items)
        {
            switch (words[0])
            {
                case "mg":
                    Get(words, key, kind, random, strange, writer);
                    break;
                case "ms":
                    ulong? held = NumberOf(words, 'C');
                    _items.TryGetValue(key, out Item? there);
                    if ((held is not null && there is null) || (words.Contains("ME") && there is not null))
                    {
                        Write(writer, $"NS {opaque}\r\n");
                        break;
                    }

                    ulong cas = (ulong)++_cas;
                    _items[key] = new Item(data, (uint)(NumberOf(words, 'F') ?? 0), cas);
                    Write(writer, words.Contains("c") ? $"HD c{cas} {opaque}\r\n" : $"HD {opaque}\r\n");
                    break;
                default:
                    Write(writer, _items.TryRemove(key, out _) ? $"HD {opaque}\r\n" : $"NF {opaque}\r\n");
                    break;
            }
        }
    }

    private void Get(string[] words, string key, KeyKind kind, Random random, StrangeItems strange, PipeWriter writer)
    {
        _items.TryGetValue(key, out Item? item);
        string mark = "";
        if (item is null && NumberOf(words, 'N') is not null)
        {
            item = _items[key] = new Item([], 0, (ulong)++_cas) { IsToken = true };
            mark = " W";
        }
        else if (item?.IsToken == true)
        {
            mark = random.Next(2) == 0 ? " Z" : "";
        }

        long left = random.Next(10) switch { 0 => -1, 1 => 0, 2 => int.MaxValue, 3 => 1, _ => 600 };
        if (mark != " W" && random.Next(8) != 0)
        {
            (byte[] Data, uint Flags)? spoiled = kind switch
            {
                KeyKind.HybridEntry => random.Next(12) == 0
                    ? strange.Placeholder()
                    : strange.HybridEntry(tag =>
                        _items.TryGetValue("fz|" + tag, out Item? version) && version.Data.Length == 16 ? version.Data : null),
                KeyKind.Lease => strange.Placeholder(),
                KeyKind.Tag => random.Next(3) == 0 ? strange.TagVersion(item?.Data ?? new byte[16]) : null,
                KeyKind.Plain => strange.PlainEntry(),
                KeyKind.OutputCache when item is not null => strange.OfOutputCache(item.Data, item.Flags),
                _ => null,
            };
            if (spoiled is { } given)
            {
                Interlocked.Increment(ref _spoiled);
                item = new Item(given.Data, given.Flags, item?.Cas ?? (ulong)++_cas);
                if (kind is KeyKind.HybridEntry or KeyKind.Tag)
                {
                    // What was read is there, so that what is stored over it finds it.
                    _items.TryAdd(key, item);
                }
            }
        }

        if (item is null)
        {
            Write(writer, $"EN {words[^1]}\r\n");
            return;
        }

        var reply = new StringBuilder(words.Contains("v") ? $"VA {item.Data.Length}" : "HD");
        foreach (string word in words.Skip(2))
        {
            _ = word switch
            {
                "f" => reply.Append(CultureInfo.InvariantCulture, $" f{item.Flags}"),
                "t" => reply.Append(CultureInfo.InvariantCulture, $" t{left}"),
                "c" => reply.Append(CultureInfo.InvariantCulture, $" c{item.Cas}"),
                _ when word[0] == 'O' => reply.Append(' ').Append(word),
                _ => reply,
            };
        }

        Write(writer, reply.Append(mark).Append("\r\n").ToString());
        if (words.Contains("v"))
        {
            writer.Write(item.Data);
            Write(writer, "\r\n");
        }
    }

    /// <summary>Whether a line has one of the forms that are sent for keys of its kind.</summary>
    private static bool IsMeant(string[] words, KeyKind kind, byte[] data)
    {
        IEnumerable<string> flags = words.Skip(words[0] == "ms" ? 3 : 2);
        bool known =
            flags.All(static word =>
                word is "v" or "f" or "t" or "c" or "ME"
                || (
                    word.Length > 1
                    && "OTNCF".Contains(word[0], StringComparison.Ordinal)
                    && word.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0))
            && words[^1][0] == 'O'
            && flags.Count(static word => word[0] == 'O') == 1;
        bool withValue = words.Contains("v");
        bool takesLease = NumberOf(words, 'N') is not null;
        uint stored = (uint)(NumberOf(words, 'F') ?? 0);
        uint kindStored = stored & ~StrangeItems.FreeBits;
        return known && (words[0], kind) switch
        {
            // Each read of an entry here would make it, so one that would not was meant for a tag.
            ("mg", KeyKind.HybridEntry) => takesLease || !withValue,
            ("mg", KeyKind.Lease) => takesLease && !withValue,
            ("mg", KeyKind.Tag) => withValue && !takesLease,
            ("mg", _) => !takesLease,
            ("ms", KeyKind.HybridEntry) => kindStored == StrangeItems.EntryFlags || (kindStored == StrangeItems.LeaseFlags && data.Length == 0),
            ("ms", KeyKind.Lease) => kindStored == StrangeItems.LeaseFlags && data.Length == 0,
            ("ms", KeyKind.Tag) => stored == StrangeItems.VersionFlags && data.Length == 16,
            ("ms", KeyKind.Probe) => data.Length == 0,
            ("ms", _) => NumberOf(words, 'T') is > 0,
            ("md", _) => true,
            _ => false,
        };
    }

    private static ulong? NumberOf(string[] words, char flag)
        => words.Skip(2).FirstOrDefault(word => word.Length > 1 && word[0] == flag && char.IsAsciiDigit(word[1])) is { } found
            ? ulong.Parse(found.AsSpan(1), CultureInfo.InvariantCulture)
            : null;

    private static void Write(PipeWriter writer, string text) => Encoding.Latin1.GetBytes(text, writer);

    private void Violate(string what, byte[] bytes)
    {
        if (Violations.Count < 20)
        {
            Violations.Enqueue(
                $"{what}: {Encoding.Latin1.GetString(bytes).Replace("\r", "\\r", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}");
        }
    }

    private sealed record Item(byte[] Data, uint Flags, ulong Cas)
    {
        public bool IsToken { get; init; }
    }
}

/// <summary>What a key was meant for.</summary>
internal enum KeyKind
{
    None,
    Plain,
    HybridEntry,
    Lease,
    Tag,
    OutputCache,
    Probe,
}
