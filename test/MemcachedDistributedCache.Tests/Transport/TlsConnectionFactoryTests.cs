using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Security;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Tests.Transport;

/// <summary>Encrypted connections by themselves: what the application's callbacks may hold, and the limit of a send.</summary>
public sealed class TlsConnectionFactoryTests : IDisposable
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);

    private readonly TestCertificates _certificates = new();
    private readonly EmbeddedMemcached _servers;

    public TlsConnectionFactoryTests()
        => _servers = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions
        {
            Nodes = 2,
            Tls = new SslServerAuthenticationOptions { ServerCertificate = _certificates.Issue("server").Load() },
        });

    public void Dispose()
    {
        _servers.Dispose();
        _certificates.Dispose();
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task A_callback_that_does_not_return_holds_one_thread_and_is_named_at_once_to_further_connections(bool sync, bool inHandshake)
    {
        using var hold = new ManualResetEventSlim();
        var calls = new ConcurrentBag<int>();
        int first = _servers.Nodes[0].EndPoint.Port;
        var factory = new TlsConnectionFactory(new TcpConnectionFactory(NameResolver.System), Settings(tls =>
        {
            bool Callback()
            {
                calls.Add(Environment.CurrentManagedThreadId);
                hold.Wait();
                return true;
            }

            // Of one server only.
            if (tls.TargetHost != "localhost")
            {
                return;
            }

            if (inHandshake)
            {
                tls.RemoteCertificateValidationCallback = (_, _, _, _) => Callback();
            }
            else
            {
                Callback();
            }
        }));
        var held = new ServerAddress("127.0.0.1", first) { ConfiguredHost = "localhost" };
        var other = new ServerAddress("127.0.0.1", _servers.Nodes[1].EndPoint.Port);
        (await ConnectAsync(factory, other, Long, sync)).Dispose(); // so that the next handshake is quick
        Task<ITransport> hanging = ConnectAsync(factory, held, Short, sync);
        await Eventually.True(
            () =>
            {
                hanging = hanging.IsCompleted && calls.IsEmpty ? ConnectAsync(factory, held, Short, sync) : hanging;
                return calls.Count == 1;
            },
            "the callback runs");
        if (!sync)
        {
            // A blocking connection has no caller: its thread stays in the callback, and the scanner ends the connection.
            TlsException late = await Assert.ThrowsAsync<TlsException>(() => hanging.WaitAsync(Eventually.Limit));
            Assert.Contains("has not returned within 0.3 s. Correct the callback that Tls.ConfigureAuthentication was given", late.Message, StringComparison.Ordinal);
        }

        Exception? refusal = null;
        await Eventually.True(
            async () =>
            {
                long began = Stopwatch.GetTimestamp();
                refusal = await Record.ExceptionAsync(() => ConnectAsync(factory, held, Long, sync).WaitAsync(Short));
                return refusal is TlsException && Stopwatch.GetElapsedTime(began) < Short;
            },
            "further attempts fail at once");
        Assert.Contains(inHandshake ? "the RemoteCertificateValidationCallback was called" : "the callback of Tls.ConfigureAuthentication was called", refusal!.Message, StringComparison.Ordinal);
        for (int i = 0; i < 10; i++)
        {
            await Assert.ThrowsAsync<TlsException>(() => ConnectAsync(factory, held, Long, sync).WaitAsync(Short));
        }

        Assert.Single(calls);
        (await ConnectAsync(factory, other, Long, sync)).Dispose(); // the other server is not held up
        hold.Set();
        if (sync)
        {
            // Where there is time left the handshake goes on; there is none after the options.
            await Record.ExceptionAsync(async () => (await hanging.WaitAsync(Eventually.Limit)).Dispose());
        }

        await Eventually.True(async () => await Record.ExceptionAsync(async () => (await ConnectAsync(factory, held, Long, sync)).Dispose()) is null, "the server is reached again");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Callbacks_of_one_server_run_one_at_a_time(bool sync)
    {
        int running = 0;
        int most = 0;
        var factory = new TlsConnectionFactory(new TcpConnectionFactory(NameResolver.System), Settings(tls => tls.RemoteCertificateValidationCallback = (_, _, _, _) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            Thread.Yield();
            Interlocked.Decrement(ref running);
            return most > 0;
        }));
        var server = new ServerAddress("127.0.0.1", _servers.Nodes[0].EndPoint.Port);
        ITransport[] opened = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ConnectAsync(factory, server, Long, sync)));
        Array.ForEach(opened, static transport => transport.Dispose());
        Assert.Equal(1, most);
    }

    [Fact]
    public async Task The_limit_of_a_send_is_for_all_of_its_records()
    {
        var plain = new WaitingFactory(new TcpConnectionFactory(NameResolver.System));
        using IBlockingTransport connection = await Blocking(() => new TlsConnectionFactory(plain, Settings(configure: null))
            .Connect(new ServerAddress("127.0.0.1", _servers.Nodes[0].EndPoint.Port), Long, Long));
        byte[] data = [.. "set key 0 0 300000\r\n"u8, .. new byte[300_000], .. "\r\n"u8];
        for (int send = 1; send <= 2; send++)
        {
            plain.Opened!.Since.Clear();
            await Blocking(() =>
            {
                connection.Send(data);
                return 0;
            });
            Assert.InRange(plain.Opened.Since.Count, 3, 100);
            Assert.Equal(0, plain.Opened.Since[0]);
            Assert.All(plain.Opened.Since.Skip(1), static since => Assert.Equal(WaitingConnection.FirstWait, since));
        }
    }

    private TlsSettings Settings(Action<SslClientAuthenticationOptions>? configure)
        => new() { Certificates = new TlsCertificates(_certificates.CaFile, null, null, null), Configure = configure };

    private static async Task<ITransport> ConnectAsync(TlsConnectionFactory factory, ServerAddress server, TimeSpan limit, bool sync)
        => sync ? await Blocking(() => factory.Connect(server, limit, limit)) : await factory.ConnectAsync(server, limit, CancellationToken.None);

    private static Task<T> Blocking<T>(Func<T> function) => Task.Factory.StartNew(function, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Connections on which the first part of each send had to wait.</summary>
    private sealed class WaitingFactory(ConnectionFactory inner) : ConnectionFactory
    {
        public WaitingConnection? Opened { get; private set; }

        public override Task<IAsyncTransport> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken)
            => inner.ConnectAsync(address, connectTimeout, cancellationToken);

        public override IBlockingTransport Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout)
            => Opened = new WaitingConnection(inner.Connect(address, connectTimeout, sendTimeout));
    }

    private sealed class WaitingConnection(IBlockingTransport inner) : IBlockingTransport
    {
        /// <summary>When it waited, as far as it knows.</summary>
        public const long FirstWait = 1;

        /// <summary>What each part of a send was told.</summary>
        public List<long> Since { get; } = [];

        public IPAddress? RemoteAddress => inner.RemoteAddress;

        public bool WaitToReceive(TimeSpan limit) => inner.WaitToReceive(limit);

        public int Receive(Span<byte> buffer) => inner.Receive(buffer);

        public void Send(ReadOnlySpan<byte> data, ref long waitingSince)
        {
            Since.Add(waitingSince);
            inner.Send(data);
            waitingSince = FirstWait;
        }

        public void Dispose() => inner.Dispose();
    }
}
