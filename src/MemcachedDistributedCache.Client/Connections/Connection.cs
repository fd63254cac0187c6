using System.Net;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// One pipelined connection, shared by all callers of one <see cref="CallMode"/>. It takes requests from the moment it exists; they wait
/// until it is open. Whatever goes wrong ends in <see cref="Break"/>, and a connection that broke is never used again.
/// </summary>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free; disposing it would race with Abort.
internal sealed class Connection
#pragma warning restore CA1001
{
    private readonly ConnectionSettings _settings;
    private readonly ServerAddress _address;
    private readonly IConnectionOwner _owner;
    private readonly NodeCounters _counters;
    private readonly ChangeOutcomes _changes;
    private readonly Action<PendingOperation> _timingOut;
    private readonly PendingQueue _pending = new();
    private readonly RequestWriter _writer;
    private readonly RequestSender _sender;
    private readonly ReplyReader _reader;
    private readonly FailureReasons _failures;
    private readonly CancellationTokenSource _connecting = new();
    private readonly TaskCompletionSource<ConnectionEnd?> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConnectionWatch _watch;
    private readonly long _createdAt;
    private ITransport? _transport;
    private long _answeredBefore;
    private bool _isOpen;

    public Connection(
        ConnectionSettings settings, ServerAddress address, CallMode mode, IConnectionOwner owner, bool asksForVersionAlone = false)
    {
        _settings = settings;
        _address = address;
        Mode = mode;
        _owner = owner;
        _counters = owner.Counters;
        _writer = new RequestWriter(_pending, settings.MaximumPendingOperations, settings.MaximumBufferedBytes, settings.Protocol, mode);
        _changes = new ChangeOutcomes(owner, mode, _writer.Connection);
        _timingOut = operation => _changes.TimedOut(operation.ChangedKey);
        _sender = new RequestSender(_writer, _counters, BreakBy);
        _reader = new ReplyReader(_pending, settings.HasPrefix, owner)
        {
            Origin = settings.IsShared ? address : this,
            Changes = _changes,
            LargestKept = settings.LargestKept,

            // Not on a connection whose requests block: the read loop would wait for itself.
            LeaseUnheard = mode == CallMode.Async ? this.GiveBack : null,
            ProofNeeded = mode == CallMode.Async ? this.SendBarrier : null,
        };
        Handshake = new Handshake(settings.Protocol, asksForVersionAlone);
        _failures = new FailureReasons(settings, _counters);
        _watch = new ConnectionWatch(settings);
        _createdAt = settings.TimeProvider.GetTimestamp();
    }

    /// <summary>The server's answer to the handshake, once the connection is open.</summary>
    public Handshake Handshake { get; }

    /// <summary>How its callers wait.</summary>
    public CallMode Mode { get; }

    /// <summary>It takes requests.</summary>
    public bool IsUsable => !_writer.IsClosed;

    /// <summary>It has been opened.</summary>
    public bool IsOpen => Volatile.Read(ref _isOpen);

    /// <summary>An operation waits, at the last look, that nobody waits for any more: what is asked now comes after it.</summary>
    public bool IsBehind => _watch.IsBehind;

    /// <summary>Replies awaited.</summary>
    public int PendingCount => _pending.Count;

    /// <summary>Where it leads, once there is a socket and it can be told.</summary>
    public IPAddress? RemoteAddress => Volatile.Read(ref _transport)?.RemoteAddress;

    /// <summary>How long it has existed.</summary>
    public TimeSpan Age => _settings.TimeProvider.GetElapsedTime(_createdAt);

    /// <summary>Completes when the connection is open, with null, or could not be opened, with the reason.</summary>
    public Task<ConnectionEnd?> Opened => _opened.Task;

    /// <summary>Completes when nothing of the connection is left.</summary>
    public Task Finished => _finished.Task;

    /// <summary>Begins to connect; returns at once. To be called when it is where whoever looks after deadlines finds it.</summary>
    public void Start()
    {
        _settings.Clock.EnsureRunning();
        if (Mode == CallMode.Async)
        {
            // Without the context of the caller who happened to be first: its scopes and locals are not the connection's.
            using (FlowGuard.Suppress())
            {
                _ = ReadLoopAsync();
            }

            return;
        }

        // A thread of its own: synchronous callers may hold every thread of the pool while they wait for it.
        new Thread(ReadLoop) { IsBackground = true, Name = $"memcached {_address}" }.UnsafeStart();
    }

    /// <summary>
    /// Sends a request and gives the caller's side of it; false if the connection has ended and nothing was sent. A synchronous
    /// connection blocks here until there is a result.
    /// </summary>
    public bool TryExecute<TRequest>(
        scoped in TRequest request,
        ValueTarget target,
        CancellationToken cancellationToken,
        out ValueTask<OperationResult> result)
        where TRequest : struct, IRequest, allows ref struct
    {
        NodeTelemetry telemetry = _counters.Telemetry;
        long startedAt = telemetry.IsObserved ? telemetry.Now : 0;
        long began = Mode == CallMode.Sync ? _settings.TimeProvider.GetTimestamp() : 0;
        PendingOperation operation = PendingOperation.Rent(_pending, request.Kind, target, Mode, _settings.Clock.Now);
        operation.ChangedKey = request.ChangedKey;
        _changes.Begin(operation);
        operation.ReadHash = request.ReadHash;
        RequestWriter.Outcome outcome;
        try
        {
            outcome = _writer.Enqueue(request, operation);
        }
        catch
        {
            // The memory behind a caller's sequence may be its own code.
            operation.Discard();
            throw;
        }

        _settings.Clock.EnsureRunning();
        switch (outcome)
        {
            case RequestWriter.Outcome.Closed:
                operation.Discard();
                result = default;
                return false;
            case RequestWriter.Outcome.Overloaded:
                _changes.Refused(operation);
                operation.Discard();
                _counters.AddErrors(1, MemcachedFailureReason.Overloaded);
                telemetry.Refused((int)request.Kind, RequestOutcome.Overloaded);
                result = new ValueTask<OperationResult>(OperationResult.Failed(_counters.Overloaded));
                return true;
            case RequestWriter.Outcome.SendNow or RequestWriter.Outcome.SendSoon or RequestWriter.Outcome.Corked:
                _sender.Take(outcome);
                break;
        }

        if (startedAt != 0)
        {
            // The caller still owns the operation, even where its reply is here already.
            operation.Timing = telemetry.Begin((int)request.Kind, startedAt);
        }

        result = Mode == CallMode.Sync
            ? new ValueTask<OperationResult>(Wait(operation, request.Kind == OperationKind.Lease ? default : request.ChangedKey, began))
            : operation.AsValueTask(cancellationToken);
        return true;
    }

    /// <summary>Looks after deadlines, silence, connect and idle limits; called about sixteen times in an operation's limit.</summary>
    /// <param name="timedOut">Grows by the operations that timed out.</param>
    /// <param name="answered">Grows by those that were answered in time since the last scan.</param>
    public void Scan(ref int timedOut, ref long answered)
    {
        _sender.UncorkOld();
        int now = _settings.Clock.Now;
        (int expired, int? oldest) = _pending.Scan(now, _pending.Count == 0 ? _failures.TimedOut : _failures.TimedOutAt(now), _timingOut);
        timedOut += expired;
        long done = _pending.Dequeued - _reader.Dropped;
        if (IsUsable)
        {
            // Of one that broke, the queue is emptied by failures.
            answered += Math.Max(0, done - _answeredBefore);
            _answeredBefore = done;
        }

        switch (_watch.Look(now, oldest, _pending.Dequeued, _writer.Appended, IsOpen, Age))
        {
            case ConnectionWatch.Judgement.ConnectTimedOut:
                Break(ConnectionEndReason.ConnectFailed, $"no connection within {_settings.ConnectTimeout.TotalSeconds:0.###} s");
                break;
            case ConnectionWatch.Judgement.Stalled:
                Break(ConnectionEndReason.Stalled, "a reply is overdue and does not end");
                break;
            case ConnectionWatch.Judgement.Idle when _writer.CloseIfIdle(_watch.LastAppended, new ConnectionEnd(ConnectionEndReason.Idle, "idle")):
                Abort();
                break;
        }
    }

    /// <summary>Ends the connection. The first cause wins; the read loop fails what is pending.</summary>
    public void Break(ConnectionEndReason reason, string message, Exception? cause = null)
    {
        if (_writer.Close(new ConnectionEnd(reason, message, cause)))
        {
            Abort();
        }
    }

    /// <summary>Waits until what was asked before is answered or has timed out, then ends the connection.</summary>
    public async Task DrainAsync()
    {
        if (PendingCount != 0)
        {
            // A synchronous connection blocks for its barrier.
            await (Mode == CallMode.Async ? this.BarrierAsync(_settings) : Task.Run(() => this.BarrierAsync(_settings))).ConfigureAwait(false);
        }

        Break(ConnectionEndReason.Disposed, "the cache was disposed");
        if (IsOpen || Mode == CallMode.Async)
        {
            // A thread that is still in a blocking connect cannot be woken, and ends by itself.
            await Finished.ConfigureAwait(false);
        }
    }

    /// <summary>Wakes the read loop, wherever it waits.</summary>
    private void Abort()
    {
        _connecting.Cancel();
        Volatile.Read(ref _transport)?.Dispose();
    }

    /// <summary>
    /// A blocked caller looks after its own deadline: the time-out scanner needs the pool, and the pool may be blocked
    /// too. What it took to send, for others too, is part of its time.
    /// </summary>
    private OperationResult Wait(PendingOperation operation, ReadOnlySpan<byte> changedKey, long began)
    {
        TimeSpan left = _settings.Clock.AttemptTimeout - _settings.TimeProvider.GetElapsedTime(began);
        OperationResult result = operation.Wait(left > TimeSpan.Zero ? left : TimeSpan.Zero, _failures.TimedOut, out bool expired);
        if (!expired)
        {
            return result;
        }

        _changes.TimedOut(changedKey);
        _counters.AddTimeouts(1);
        return _failures.TimedOutAfter(_settings.TimeProvider.GetElapsedTime(began));
    }

    private async Task ReadLoopAsync()
    {
        try
        {
            (IAsyncTransport transport, string? error) =
                await HandshakeExchange.OpenAsync(Handshake, ConnectAsync, _settings.Credentials).ConfigureAwait(false);
            if (Open(error))
            {
                _sender.Begin(transport);
            }

            while (Received(await transport.ReceiveAsync(_reader.GetMemory()).ConfigureAwait(false)))
            {
            }
        }
        catch (Exception exception)
        {
            BreakBy(exception);
        }
        finally
        {
            Finish();
        }
    }

    /// <summary>The twin of <see cref="ReadLoopAsync"/> on a thread of its own.</summary>
    private void ReadLoop()
    {
        try
        {
            (IBlockingTransport transport, string? error) = HandshakeExchange.Open(Handshake, Connect, _settings.Credentials);
            if (Open(error))
            {
                _sender.Begin(transport);
            }

            while (Received(transport.Receive(_reader.GetMemory().Span)))
            {
            }
        }
        catch (Exception exception)
        {
            BreakBy(exception);
        }
        finally
        {
            Finish();
        }
    }

    private async Task<IAsyncTransport> ConnectAsync()
        => Attach(await _settings.Factory.ConnectAsync(_address, _settings.ConnectTimeout, _connecting.Token).ConfigureAwait(false));

    private IBlockingTransport Connect()
        => Attach(_settings.Factory.Connect(_address, _settings.ConnectTimeout, _settings.Clock.AttemptTimeout));

    private TTransport Attach<TTransport>(TTransport transport)
        where TTransport : class, ITransport
    {
        // Either we see the end that came while the socket was opened, or Abort sees the socket.
        Interlocked.Exchange(ref _transport, transport)?.Dispose();
        if (_writer.IsClosed)
        {
            transport.Dispose();
        }

        return transport;
    }

    private bool Open(string? error)
    {
        if (error is not null)
        {
            Break(ConnectionEndReason.ConnectFailed, error);
        }

        if (_writer.IsClosed)
        {
            return false;
        }

        _writer.Decide(Handshake.IsClassic);
        _reader.Begin(Handshake);
        _counters.AddOpened();
        Volatile.Write(ref _isOpen, true);
        _owner.OnOpened();
        if (_writer.IsClosed)
        {
            return false;
        }

        // The callers who have waited for the connection in vain are gone, and their changes are sent only now: a
        // removal by another connection may come before.
        _pending.ForEach(operation =>
        {
            if (operation.IsClaimed)
            {
                _changes.Lost(operation);
            }
        });
        _opened.TrySetResult(null);
        return true;
    }

    private bool Received(int count)
    {
        if (count == 0)
        {
            Break(ConnectionEndReason.ClosedByServer, "the server closed the connection");
            return false;
        }

        _counters.AddReceived(count);
        if (_reader.Advance(count) is { } violation)
        {
            Break(ConnectionEndReason.ProtocolViolation, violation);
            return false;
        }

        return true;
    }

    private void BreakBy(Exception exception)
        => Break(IsOpen ? ConnectionEndReason.SocketError : ConnectionEndReason.ConnectFailed, SocketEnd.MessageOf(exception), exception);

    private void Finish()
    {
        ConnectionEnd end = _writer.End!;
        _owner.OnEnding(end);
        _reader.FailAll(operation =>
        {
            bool sent = _writer.WasSent(operation.Position);
            _changes.Ended(operation, sent);
            return _failures.Ended(end, sent, operation.StartedAt);
        });
        _counters.AddEnd(end.Reason, IsOpen);
        _writer.Discard();
        _reader.Dispose();
        _transport?.Dispose();
        _opened.TrySetResult(end);
        _owner.OnEnded(end);
        _finished.TrySetResult();
    }
}
