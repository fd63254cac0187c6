using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

internal enum StoreOutcome
{
    Stored,
    NotStored,
    Exists,
    NotFound,
}

/// <summary>
/// When a store takes place: the modes, the CAS and the stale rule of <c>ms … I</c>, for classic and meta commands
/// alike.
/// </summary>
internal static class StoreRules
{
    private enum CasCheck
    {
        NotAsked,
        Match,
        Stale,
        Mismatch,
    }

    public static StoreOutcome Apply(ItemStore store, Upload upload, uint now)
    {
        Item item = upload.Item;
        Item? old = store.Find(item.Key, now);
        return old is null ? WithoutOld(store, upload, now) : WithOld(store, upload, old, now);
    }

    private static StoreOutcome WithoutOld(ItemStore store, Upload upload, uint now)
    {
        switch (upload.Mode)
        {
            case StoreMode.Set or StoreMode.Add:
                store.Link(upload.Item, now);
                return StoreOutcome.Stored;
            case StoreMode.Cas:
                store.Statistics.CasMisses++;
                return StoreOutcome.NotFound;
            default:
                return StoreOutcome.NotStored;
        }
    }

    private static StoreOutcome WithOld(ItemStore store, Upload upload, Item old, uint now)
    {
        Item item = upload.Item;
        CasCheck check = Check(upload, old);
        switch (upload.Mode)
        {
            case StoreMode.Add:
                store.Renew(old, now);
                return StoreOutcome.NotStored;
            case StoreMode.Cas when check is CasCheck.Mismatch or CasCheck.NotAsked:
                store.Statistics.CasBadValue++;
                return StoreOutcome.Exists;
            case StoreMode.Cas:
                store.Statistics.CasHits++;
                if (check == CasCheck.Stale)
                {
                    item.Expires = old.Expires;
                    item.Marks |= ItemMarks.Stale | (old.Marks & ItemMarks.TokenSent);
                }

                break;
            case StoreMode.Append or StoreMode.Prepend when check is CasCheck.Mismatch or CasCheck.Stale:
                return StoreOutcome.Exists;
            case StoreMode.Append or StoreMode.Prepend:
                if (StorageCommands.Refusal(store, old.Key.Length, old.ClientFlags, old.Value.Length + item.Value.Length) is not null)
                {
                    return StoreOutcome.NotStored;
                }

                byte[] value = upload.Mode == StoreMode.Append ? [.. old.Value, .. item.Value] : [.. item.Value, .. old.Value];
                var joined = new Item(item.Key, value, old.ClientFlags, old.Expires);
                store.Replace(old, joined, now);
                item.Cas = joined.Cas;
                return StoreOutcome.Stored;
        }

        store.Replace(old, item, now);
        return StoreOutcome.Stored;
    }

    private static CasCheck Check(Upload upload, Item old) => upload.Item.Cas switch
    {
        0 => CasCheck.NotAsked,
        var cas when cas == old.Cas => CasCheck.Match,
        var cas when upload.AllowsStale && cas < old.Cas => CasCheck.Stale,
        _ => CasCheck.Mismatch,
    };
}
