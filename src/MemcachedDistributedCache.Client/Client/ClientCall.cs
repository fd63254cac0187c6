using System.Buffers;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>The operations on one key. The order counts: those that change nothing come first.</summary>
internal enum ClientVerb : byte
{
    /// <summary>Reads a value.</summary>
    Get,

    /// <summary>Reads a value with all that the server knows of its item.</summary>
    GetItem,

    /// <summary>Reads a value and touches its item.</summary>
    GetAndTouch,

    /// <summary>Sets the time to live.</summary>
    Touch,

    /// <summary>Stores a value, whatever is there.</summary>
    Set,

    /// <summary>Stores a value where there is none.</summary>
    Add,

    /// <summary>Stores a value where there is one.</summary>
    Replace,

    /// <summary>Stores a value over one state.</summary>
    CompareAndSet,

    /// <summary>Puts bytes behind a value.</summary>
    Append,

    /// <summary>Puts bytes before a value.</summary>
    Prepend,

    /// <summary>Deletes an item.</summary>
    Delete,

    /// <summary>Deletes an item in one state.</summary>
    CompareAndDelete,

    /// <summary>Marks an item as stale.</summary>
    MarkStale,

    /// <summary>Adds to a number.</summary>
    Increment,

    /// <summary>Takes from a number.</summary>
    Decrement,
}

/// <summary>One operation on one key, with all that it needs to be sent, once or again.</summary>
/// <param name="verb">What is done.</param>
/// <param name="key">The key.</param>
/// <param name="mode">How the caller waits.</param>
/// <param name="token">Ends the wait.</param>
internal readonly struct ClientCall(ClientVerb verb, MemcachedKey key, CallMode mode, CancellationToken token)
{
    /// <summary>The operation.</summary>
    public ClientVerb Verb => verb;

    /// <summary>The key.</summary>
    public MemcachedKey Key => key;

    /// <summary>How the caller waits.</summary>
    public CallMode Mode => mode;

    /// <summary>Ends the wait.</summary>
    public CancellationToken Token => token;

    /// <summary>Where a value that is read goes.</summary>
    public ValueTarget Target { get; init; }

    /// <summary>The bytes that are stored.</summary>
    public ReadOnlySequence<byte> Value { get; init; }

    /// <summary>Their client flags.</summary>
    public uint Flags { get; init; }

    /// <summary>The time to live as the wire has it, where the operation sets one.</summary>
    public int TimeToLive { get; init; }

    /// <summary>A missing item is made, by a verb that needs one.</summary>
    public bool Creates { get; init; }

    /// <summary>The state that the item must be in.</summary>
    public CasToken Cas { get; init; }

    /// <summary>The amount by which a number is changed.</summary>
    public ulong Delta { get; init; }

    /// <summary>The number that is made.</summary>
    public ulong Initial { get; init; }

    /// <summary>The operation may change something, so that without an answer nobody knows whether it has.</summary>
    public bool IsChange => verb > ClientVerb.GetItem;

    /// <summary>Done twice it leaves what it leaves done once, and tells the same.</summary>
    public bool IsRepeatable => verb <= ClientVerb.Set;
}
