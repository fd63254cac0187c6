using System.Diagnostics.Tracing;

namespace MemcachedDistributedCache.Testing;

/// <summary>Counts the arrays that this process takes from the pools of arrays and gives back, from the moment it is made on.</summary>
public sealed class ArrayPoolWatch : EventListener
{
    private const int Rented = 1;
    private const int Returned = 3;
    private long _out;
    private long _rented;

    /// <summary>Arrays taken.</summary>
    public long Taken => Volatile.Read(ref _rented);

    /// <summary>Arrays taken and not given back; less than zero if arrays that were out before came back.</summary>
    public long Outstanding => Volatile.Read(ref _out);

    /// <inheritdoc/>
    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "System.Buffers.ArrayPoolEventSource")
        {
            EnableEvents(eventSource, EventLevel.Verbose);
        }
    }

    /// <inheritdoc/>
    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventId == Rented)
        {
            Interlocked.Increment(ref _rented);
            Interlocked.Increment(ref _out);
        }
        else if (eventData.EventId == Returned)
        {
            Interlocked.Decrement(ref _out);
        }
    }
}
