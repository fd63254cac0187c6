using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Sends what a <see cref="RequestWriter"/> has gathered. There is one turn at a time: whoever the writer told to send has it, and keeps
/// it until nothing is left or it is handed on.
/// </summary>
/// <param name="writer">Gathers.</param>
/// <param name="counters">Where bytes are counted.</param>
/// <param name="broke">Told when a send fails: part of it may be out, so the connection is of no more use.</param>
internal sealed class RequestSender(RequestWriter writer, NodeCounters counters, Action<Exception> broke) : IThreadPoolWorkItem, ICorked
{
    /// <summary>
    /// So many sends a blocked caller makes for others, then another thread goes on: its own reply may have come long
    /// ago.
    /// </summary>
    private const int LongestTurn = 64;

    private IAsyncTransport? _transport;
    private IBlockingTransport? _blocking;

    /// <summary>Takes the first turn: sends what was asked while the connection was being opened.</summary>
    public void Begin(IAsyncTransport transport)
    {
        _transport = transport;
        _ = SendAsync(once: false);
    }

    /// <inheritdoc cref="Begin(IAsyncTransport)"/>
    public void Begin(IBlockingTransport transport)
    {
        _blocking = transport;
        SendAll(LongestTurn);
    }

    /// <summary>The writer has given the caller the turn to send, or the caller's cork.</summary>
    public void Take(RequestWriter.Outcome outcome)
    {
        if (outcome == RequestWriter.Outcome.Corked)
        {
            Cork.Add(this);
            return;
        }

        Send(outcome == RequestWriter.Outcome.SendNow);
    }

    /// <summary>
    /// Alone on the connection, a caller sends at once: a switch to another thread would only cost it time. Among others it hands
    /// the send to the pool, and what they ask meanwhile goes out in the same packet.
    /// </summary>
    public void Send(bool now)
    {
        if (_blocking is not null)
        {
            if (!now)
            {
                // Others are about to ask too: let them, so that one packet carries them all.
                Thread.Yield();
            }

            SendAll(LongestTurn);
        }
        else if (now)
        {
            _ = SendAsync(once: true);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <inheritdoc/>
    public void Uncork(Cork cork)
    {
        if (writer.TryUncork(cork))
        {
            Send(now: true);
        }
    }

    /// <summary>Sends what a forgotten cork holds back.</summary>
    public void UncorkOld()
    {
        if (writer.TryUncorkOld())
        {
            Send(now: false);
        }
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute() => _ = SendAsync(once: false);

    private async Task SendAsync(bool once)
    {
        SendBuffer? buffer = null;
        try
        {
            while ((buffer = writer.TakeForSending()) is not null)
            {
                int count = buffer.CloseAndCount();
                for (int i = 0; i < count; i++)
                {
                    await _transport!.SendAsync(buffer.Piece(i)).ConfigureAwait(false);
                }

                counters.AddSent(buffer.Length);

                buffer.Clear();
                if (once)
                {
                    // A caller has sent its own; it should not go on to send for others.
                    if (!writer.EndTurnIfEmpty())
                    {
                        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                    }

                    return;
                }
            }
        }
        catch (Exception exception)
        {
            broke(exception);
            buffer?.Clear();
        }
    }

    private void SendAll(int turn)
    {
        bool isCaller = turn != int.MaxValue;
        SendBuffer? buffer = null;
        try
        {
            for (; (buffer = writer.TakeForSending()) is not null; turn--)
            {
                int count = buffer.CloseAndCount();
                long waitingSince = 0;
                for (int i = 0; i < count; i++)
                {
                    _blocking!.Send(buffer.Piece(i).Span, ref waitingSince);
                }

                counters.AddSent(buffer.Length);

                buffer.Clear();
                if (turn == 1 || (isCaller && waitingSince != 0))
                {
                    // A caller whose own send had to wait does not wait for those of others as well.
                    if (!writer.EndTurnIfEmpty())
                    {
                        // Not the pool: those who block may have all of it. Where so many ask at once, the thread has work for long.
                        new Thread(() => SendAll(int.MaxValue)) { IsBackground = true }.UnsafeStart();
                    }

                    return;
                }
            }
        }
        catch (Exception exception)
        {
            broke(exception);
            buffer?.Clear();
        }
    }
}
