namespace MemcachedDistributedCache.Testing;

/// <summary>The operations on one key that the model knows.</summary>
public enum ModelVerb
{
    /// <summary><c>get</c>.</summary>
    Get,

    /// <summary><c>gets</c>: the value with its CAS.</summary>
    GetItem,

    /// <summary><c>gat</c>.</summary>
    GetAndTouch,

    /// <summary><c>set</c>.</summary>
    Set,

    /// <summary><c>add</c>.</summary>
    Add,

    /// <summary><c>replace</c>.</summary>
    Replace,

    /// <summary><c>append</c>.</summary>
    Append,

    /// <summary><c>prepend</c>.</summary>
    Prepend,

    /// <summary><c>cas</c>.</summary>
    CompareAndSet,

    /// <summary><c>delete</c>.</summary>
    Delete,

    /// <summary>A delete of one state.</summary>
    CompareAndDelete,

    /// <summary><c>incr</c>.</summary>
    Increment,

    /// <summary><c>decr</c>.</summary>
    Decrement,

    /// <summary><c>touch</c>.</summary>
    Touch,
}
