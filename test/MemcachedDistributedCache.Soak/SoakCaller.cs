using System.Buffers;
using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Soak;

/// <summary>
/// One caller. It alone changes its keys, one change at a time, so that it is known what they may hold; it reads everybody's. A thread's
/// calls are synchronous, or asynchronous ones that it blocks for.
/// </summary>
internal sealed class SoakCaller(MemcachedCache cache, KeyLedger[] own, KeyLedger[] all, SoakTally tally, bool isThread, int seed)
{
    private readonly Random _random = new(seed);
    private readonly ArrayBufferWriter<byte> _writer = new();

    /// <summary>The name of a key.</summary>
    public static string Name(int key) => "soak " + key;

    /// <summary>Calls until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await CallAsync();
            if (_random.Next(20) == 0)
            {
                // Answers at once would otherwise make a few callers take all of the processor from the others while a node is down.
                await Block(Task.Delay(_random.Next(1, 4), CancellationToken.None));
            }
        }
    }

    /// <summary>The same on a thread of its own.</summary>
    public Task RunThreadAsync(CancellationToken stop)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                RunAsync(stop).GetAwaiter().GetResult();
                ended.SetResult();
            }
            catch (Exception exception)
            {
                ended.SetException(exception);
            }
        }) { IsBackground = true, Name = "soak" }.Start();
        return ended.Task;
    }

    private async Task CallAsync()
    {
        bool sync = isThread && _random.Next(4) != 0;
        using CancellationTokenSource? cancel = !sync && _random.Next(10) == 0 ? new CancellationTokenSource() : null;
        SoakVerb verb = _random.Next(20) switch
        {
            < 11 => SoakVerb.Read,
            < 16 => SoakVerb.Write,
            < 18 => SoakVerb.Remove,
            _ => SoakVerb.Refresh,
        };
        cancel?.CancelAfter(TimeSpan.FromMilliseconds(_random.Next(6)));
        CancellationToken token = cancel?.Token ?? CancellationToken.None;
        long started = Stopwatch.GetTimestamp();
        try
        {
            await Block(verb switch
            {
                SoakVerb.Read => ReadAsync(sync, token),
                SoakVerb.Refresh => RefreshAsync(sync, token),
                _ => ChangeAsync(verb, sync, token),
            });
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            tally.AddCancelled();
        }
        catch (Exception exception)
        {
            tally.AddUnexpected(exception);
        }

        tally.Add(verb, sync, Stopwatch.GetElapsedTime(started));
    }

    private async Task ReadAsync(bool sync, CancellationToken token)
    {
        KeyLedger ledger = _random.Next(2) == 0 ? own[_random.Next(own.Length)] : all[_random.Next(all.Length)];
        KeyLedger.Reading reading = ledger.BeginRead();
        byte[]? value;
        try
        {
            if (_random.Next(3) == 0)
            {
                _writer.ResetWrittenCount();
                bool found = sync ? cache.TryGet(Name(ledger.Key), _writer) : await Block(cache.TryGetAsync(Name(ledger.Key), _writer, token).AsTask());
                value = found ? _writer.WrittenSpan.ToArray() : null;
            }
            else
            {
                value = sync ? cache.Get(Name(ledger.Key)) : await Block(cache.GetAsync(Name(ledger.Key), token));
            }
        }
        catch (MemcachedUnavailableException)
        {
            return; // as the mode has it, and counted by the node
        }

        ReadJudgement judgement = ledger.Judge(reading, value, out string? complaint);
        tally.AddRead(value is not null, judgement, complaint, sync ? "synchronously" : "asynchronously");
    }

    private async Task ChangeAsync(SoakVerb verb, bool sync, CancellationToken token)
    {
        KeyLedger ledger = own[_random.Next(own.Length)];
        byte[]? value = null;
        int change = ledger.Begin();
        if (verb == SoakVerb.Write)
        {
            value = KeyedValues.Create(ledger.Key, change, Length());
        }

        string outcome = "cancelled";
        try
        {
            await (value is null ? RemoveAsync(ledger.Key, sync, token) : SetAsync(ledger.Key, value, sync, token));
            outcome = "returned";
        }
        catch (MemcachedUnavailableException exception)
        {
            // Failed, which is an end like any other: what was there before must not be read.
            outcome = exception.Reason.ToString();
        }
        finally
        {
            ledger.Remember($"{verb} {change} {(sync ? "synchronous" : "asynchronous")} {outcome} at {tally.Elapsed.TotalSeconds:0.000}");
        }

        ledger.End(change, isRemoval: value is null);
    }

    private async Task SetAsync(int key, byte[] value, bool sync, CancellationToken token)
    {
        DistributedCacheEntryOptions options = _random.Next(4) switch
        {
            0 => new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromSeconds(_random.Next(1, 60)) },
            1 => new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(_random.Next(1, 600)) },
            2 => new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1), AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(10) },
            _ => new DistributedCacheEntryOptions(),
        };
        if (sync)
        {
            cache.Set(Name(key), value, options);
        }
        else
        {
            await Block(cache.SetAsync(Name(key), value, options, token));
        }
    }

    private async Task RemoveAsync(int key, bool sync, CancellationToken token)
    {
        if (sync)
        {
            cache.Remove(Name(key));
        }
        else
        {
            await Block(cache.RemoveAsync(Name(key), token));
        }
    }

    private async Task RefreshAsync(bool sync, CancellationToken token)
    {
        string name = Name(all[_random.Next(all.Length)].Key);
        try
        {
            if (sync)
            {
                cache.Refresh(name);
            }
            else
            {
                await Block(cache.RefreshAsync(name, token));
            }
        }
        catch (MemcachedUnavailableException)
        {
            // As the mode has it.
        }
    }

    private int Length() => _random.Next(50) switch
    {
        0 => _random.Next(200_000),
        < 10 => _random.Next(10_000),
        _ => _random.Next(500),
    };

    /// <summary>A thread stays the one that it is: it blocks for what it asks asynchronously.</summary>
    private Task<T> Block<T>(Task<T> task)
    {
        if (isThread)
        {
            ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
        }

        return task;
    }

    private Task Block(Task task)
    {
        if (isThread)
        {
            ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
        }

        return task;
    }
}
