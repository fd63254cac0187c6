namespace MemcachedDistributedCache.Vocabulary;

/// <summary>The ways of a change besides its own: to go elsewhere while its node is down, and to be made up for when its answer is lost.</summary>
[Flags]
internal enum ChangePolicy : byte
{
    /// <summary>It goes to the key's own node or fails, and nothing is removed after a lost answer.</summary>
    None = 0,

    /// <summary>A gutter node takes the change while the key's own node is down. Otherwise it fails as unavailable.</summary>
    MayUseGutter = 1,

    /// <summary>After a lost answer the key is not read before what the server has under it has been removed.</summary>
    RemoveIfUncertain = 2,

    /// <summary>
    /// An item that is there counts however old it is, and nothing is removed because a fence is set. For keys that only ever lie on their own
    /// node and mean something by being there, such as locks: to remove an old one would let a second holder in.
    /// </summary>
    IgnoreFences = 4,
}
