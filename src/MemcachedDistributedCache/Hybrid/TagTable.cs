using System.Collections.Concurrent;
using System.Text;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The tags that this process knows. Every entry carries the version of the tag <c>*</c> as well, which is kept on each node for
/// the entries of that node: so a node that loses its memory takes no other node's entries with it.
/// </summary>
internal sealed class TagTable(ICacheBackend backend, KeyEncoder keys, HybridContext context)
{
    /// <summary>Stands for every entry.</summary>
    public const string Wildcard = "*";

    private readonly byte[] _wildcardKey = keys.Encode(Wildcard, HybridSpace.Tag);
    private readonly ConcurrentDictionary<string, TagState> _tags = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<IClusterNode, TagState> _wildcards = new();
    private readonly Lock _trimming = new();
    private readonly Lock _adding = new();
    private int _count;
    private bool _isWildcardDue;

    /// <summary>How many tags are known.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The tag that stands for all entries of the node that a key belongs to.</summary>
    public TagState WildcardOf(byte[] entryKey) => WildcardOn(backend.NodeOf(entryKey));

    /// <summary>The same for a node.</summary>
    public TagState WildcardOn(IClusterNode node) => _wildcards.TryGetValue(node, out TagState? state) ? state : AddWildcard(node);

    /// <summary>
    /// The tag of all entries on every node, those among them that are no longer in use. While no server is known, the first ones'
    /// are invalidated as soon as there are any.
    /// </summary>
    public TagState[] Wildcards()
    {
        lock (_adding)
        {
            _isWildcardDue |= backend.Nodes.Count == 0;
        }

        return [.. backend.Nodes.Select(WildcardOn).Concat(_wildcards.Values).Distinct()];
    }

    /// <summary>The tags with an invalidation that has not reached the cluster.</summary>
    public TagState[] Pending() => [.. _tags.Values.Concat(_wildcards.Values).Where(static state => state.IsPending)];

    private TagState AddWildcard(IClusterNode node)
    {
        TagState added = _wildcards.GetOrAdd(node, static (on, key) => new TagState(key, on), _wildcardKey);
        IReadOnlyList<IClusterNode> nodes = backend.Nodes;
        lock (_adding)
        {
            if (_isWildcardDue && nodes.Count != 0)
            {
                _isWildcardDue = false;
                foreach (IClusterNode first in nodes)
                {
                    TagState wildcard = _wildcards.GetOrAdd(first, static (on, key) => new TagState(key, on), _wildcardKey);
                    wildcard.Invalidate(TagVersion.Create(context.Time), context.Now);
                }
            }
        }

        foreach ((IClusterNode on, TagState state) in _wildcards.Count > nodes.Count + 1 ? _wildcards.ToArray() : [])
        {
            // A node that is gone. What this process has of its entries goes too: nobody would invalidate it.
            if (on != node && !nodes.Contains(on) && !state.IsPending && _wildcards.TryRemove(new(on, state)))
            {
                state.Retire(TagVersion.Create(context.Time));
            }
        }

        return added;
    }

    /// <summary>A tag by its name.</summary>
    public TagState Of(string tag) => OfWireKey(keys.Encode(tag, HybridSpace.Tag));

    /// <summary>A tag by its key.</summary>
    public TagState OfWireKey(ReadOnlySpan<byte> wireKey)
    {
        Span<char> text = stackalloc char[wireKey.Length];
        Encoding.Latin1.GetChars(wireKey, text);
        if (_tags.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out TagState? state))
        {
            return state;
        }

        var added = new TagState(wireKey.ToArray(), node: null);
        state = _tags.GetOrAdd(text.ToString(), added);
        if (ReferenceEquals(state, added) && Interlocked.Increment(ref _count) > context.MaximumKnownTags)
        {
            Trim(except: added);
        }

        return state;
    }

    /// <summary>
    /// Forgets tags, beginning with those that have not been used for longest; those that nobody has read yet are about to be. A
    /// tag that is forgotten takes its entries' copies in this process with it, for nobody would hear of its invalidation. One
    /// whose invalidation is still to be delivered is kept, until there are too many of them: then the tag of all entries is
    /// invalidated in their place.
    /// </summary>
    private void Trim(TagState except)
    {
        if (!_trimming.TryEnter())
        {
            return;
        }

        try
        {
            KeyValuePair<string, TagState>[] all = _tags.ToArray();
            KeyValuePair<string, TagState>[] known = [.. all
                .Where(pair => !pair.Value.IsPending && pair.Value != except)
                .OrderBy(static pair => pair.Value.ReadAt is var at && at == long.MinValue ? long.MaxValue : at)];
            IEnumerable<KeyValuePair<string, TagState>> forgotten = known.Take(Math.Max(1, all.Length / 2));
            if (known.Length < all.Length / 2)
            {
                foreach (TagState wildcard in Wildcards())
                {
                    wildcard.Invalidate(TagVersion.Create(context.Time), context.Now);
                }

                forgotten = all.Where(pair => pair.Value != except);
            }

            foreach (KeyValuePair<string, TagState> pair in forgotten)
            {
                if (_tags.TryRemove(pair))
                {
                    Interlocked.Decrement(ref _count);
                    pair.Value.Retire(TagVersion.Create(context.Time));
                }
            }
        }
        finally
        {
            _trimming.Exit();
        }
    }
}
