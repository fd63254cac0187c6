using System.Diagnostics;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>
/// What clients of other languages wrote is read, and the reverse: text, integers and bytes. Each script reads what we wrote, complains
/// if it is not that, and writes the same under other keys.
/// </summary>
public sealed class OtherClientsTests : IAsyncLifetime
{
    private const string Text = "Grüße, 世界";
    private const int Number = 4711;

    /// <summary>No UTF-8, and no text of any language.</summary>
    private static readonly byte[] Bytes = [0xFF, 0x00, 0x0D, 0x0A, 0x80, 0xC3];

    private MemcachedProcess? _server;

    public async Task InitializeAsync()
    {
        if (MemcachedBinary.SkipReason is null)
        {
            _server = await MemcachedProcess.StartAsync();
        }
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    [OtherClientFact("/usr/bin/python3", "python3-pymemcache", "-c", "import pymemcache")]
    public Task Pymemcache_and_we_read_each_other() => BothReadAsync(
        "/usr/bin/python3",
        "-c",
        """
        import sys
        from pymemcache.client.base import Client
        host, port = sys.argv[1].split(':')
        c = Client((host, int(port)))
        data = bytes.fromhex(sys.argv[3])
        def same(key, value):
            if c.get(key) != value: sys.exit('%s: %r' % (key, c.get(key)))
        same('our-text', sys.argv[2].encode('utf-8')); same('our-number', b'4711'); same('our-bytes', data)
        if c.incr('our-number', 1) != 4712: sys.exit('incr')
        c.set('their-text', sys.argv[2].encode('utf-8')); c.set('their-number', 4711); c.set('their-bytes', data)
        """);

    [OtherClientFact("/usr/bin/python3", "python3-memcache", "-c", "import memcache")]
    public Task Python_memcached_and_we_read_each_other() => BothReadAsync(
        "/usr/bin/python3",
        "-c",
        """
        import sys, memcache
        c = memcache.Client([sys.argv[1]])
        data = bytes.fromhex(sys.argv[3])
        def same(key, value):
            if c.get(key) != value: sys.exit('%s: %r' % (key, c.get(key)))
        same('our-text', sys.argv[2].encode('utf-8')); same('our-number', b'4711'); same('our-bytes', data)
        if c.incr('our-number', 1) != 4712: sys.exit('incr')
        c.set('their-text', sys.argv[2]); c.set('their-number', 4711); c.set('their-bytes', data)
        """);

    [OtherClientFact("/usr/bin/php", "php-memcached", "-r", "exit(class_exists('Memcached') ? 0 : 1);")]
    public Task Php_memcached_and_we_read_each_other() => BothReadAsync(
        "/usr/bin/php",
        "-r",
        """
        list($host, $port) = explode(':', $argv[1]);
        $c = new Memcached();
        $c->addServer($host, (int)$port);
        $data = hex2bin($argv[3]);
        foreach (['our-text' => $argv[2], 'our-number' => '4711', 'our-bytes' => $data] as $key => $value)
            if ($c->get($key) !== $value) { fwrite(STDERR, $key . ': ' . var_export($c->get($key), true)); exit(1); }
        if ($c->increment('our-number', 1) !== 4712) { fwrite(STDERR, 'increment'); exit(1); }
        $c->set('their-text', $argv[2]); $c->set('their-number', 4711); $c->set('their-bytes', $data);
        """,
        "--");

    private async Task BothReadAsync(string program, params string[] arguments)
    {
        await using MemcachedClient client = Clients.On([_server!.Server], static options => options.Namespace = "");
        (await client.SetAsync("our-text", Text)).EnsureSuccess();
        (await client.SetAsync("our-number", Number)).EnsureSuccess();
        (await client.SetAsync("our-bytes", Bytes)).EnsureSuccess();
        (int code, string said) = await RunAsync(program, [.. arguments, _server.Server, Text, Convert.ToHexString(Bytes)]);
        Assert.True(code == 0, said);
        Assert.Equal(Text, (await client.GetAsync<string>("their-text")).Value);
        Assert.Equal(Number, (await client.GetAsync<int>("their-number")).Value);
        Assert.Equal(Bytes, (await client.GetAsync<byte[]>("their-bytes")).Value);
        Assert.Equal((ulong)Number + 1, (await client.IncrementAsync("their-number")).Value);
        Assert.Equal(Number + 1, (await client.GetAsync<int>("our-number")).Value);
    }

    private static async Task<(int Code, string Said)> RunAsync(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            string said = await process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, said);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    /// <summary>A fact that needs a client of another language, and says so where there is none.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class OtherClientFactAttribute : FactAttribute
    {
        public OtherClientFactAttribute(string program, string package, params string[] probe)
            => Skip = MemcachedBinary.SkipReason
                ?? (File.Exists(program) && RunAsync(program, probe).GetAwaiter().GetResult().Code == 0
                    ? null
                    : $"No {package} (Debian: apt-get install {package}).");
    }
}
