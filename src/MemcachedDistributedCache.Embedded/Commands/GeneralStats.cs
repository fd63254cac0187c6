using MemcachedDistributedCache.Embedded.Net;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>The body of <c>stats</c>: the names that monitoring tools read, in memcached's order.</summary>
internal static class GeneralStats
{
    public static void Write(CommandContext context)
    {
        ItemStore store = context.Store;
        ServerState server = context.Server;
        StoreStatistics counts = store.Statistics;
        StatsCommand.Stat(context, "pid", Environment.ProcessId);
        StatsCommand.Stat(context, "uptime", store.Clock.Uptime);
        StatsCommand.Stat(context, "time", store.Clock.UnixSeconds);
        StatsCommand.Stat(context, "version", context.Server.Version);
        StatsCommand.Stat(context, "pointer_size", IntPtr.Size * 8);
        StatsCommand.Stat(context, "max_connections", server.MaximumConnections);
        StatsCommand.Stat(context, "curr_connections", server.CurrentConnections);
        StatsCommand.Stat(context, "total_connections", server.TotalConnections);
        StatsCommand.Stat(context, "rejected_connections", server.RejectedConnections);
        StatsCommand.Stat(context, "connection_structures", server.CurrentConnections);
        StatsCommand.Stat(context, "cmd_get", counts.CmdGet);
        StatsCommand.Stat(context, "cmd_set", counts.CmdSet);
        StatsCommand.Stat(context, "cmd_flush", counts.CmdFlush);
        StatsCommand.Stat(context, "cmd_touch", counts.CmdTouch);
        StatsCommand.Stat(context, "cmd_meta", counts.CmdMeta);
        StatsCommand.Stat(context, "get_hits", counts.GetHits);
        StatsCommand.Stat(context, "get_misses", counts.GetMisses);
        StatsCommand.Stat(context, "get_expired", counts.GetExpired);
        StatsCommand.Stat(context, "get_flushed", counts.GetFlushed);
        StatsCommand.Stat(context, "delete_misses", counts.DeleteMisses);
        StatsCommand.Stat(context, "delete_hits", counts.DeleteHits);
        StatsCommand.Stat(context, "incr_misses", counts.IncrMisses);
        StatsCommand.Stat(context, "incr_hits", counts.IncrHits);
        StatsCommand.Stat(context, "decr_misses", counts.DecrMisses);
        StatsCommand.Stat(context, "decr_hits", counts.DecrHits);
        StatsCommand.Stat(context, "cas_misses", counts.CasMisses);
        StatsCommand.Stat(context, "cas_hits", counts.CasHits);
        StatsCommand.Stat(context, "cas_badval", counts.CasBadValue);
        StatsCommand.Stat(context, "touch_hits", counts.TouchHits);
        StatsCommand.Stat(context, "touch_misses", counts.TouchMisses);
        StatsCommand.Stat(context, "store_too_large", counts.StoreTooLarge);
        StatsCommand.Stat(context, "store_no_memory", counts.StoreNoMemory);
        StatsCommand.Stat(context, "auth_cmds", context.Server.Users.Attempts);
        StatsCommand.Stat(context, "auth_errors", context.Server.Users.Failures);
        StatsCommand.Stat(context, "bytes_read", server.BytesRead);
        StatsCommand.Stat(context, "bytes_written", server.BytesWritten);
        StatsCommand.Stat(context, "limit_maxbytes", store.MemoryLimit);
        StatsCommand.Stat(context, "accepting_conns", 1);
        StatsCommand.Stat(context, "listen_disabled_num", 0);
        StatsCommand.Stat(context, "threads", Environment.ProcessorCount);
        StatsCommand.Stat(context, "bytes", store.Bytes);
        StatsCommand.Stat(context, "curr_items", store.Count);
        StatsCommand.Stat(context, "total_items", counts.TotalItems);
        StatsCommand.Stat(context, "expired_unfetched", counts.ExpiredUnfetched);
        StatsCommand.Stat(context, "evicted_unfetched", counts.EvictedUnfetched);
        StatsCommand.Stat(context, "evictions", counts.Evictions);
        StatsCommand.Stat(context, "reclaimed", counts.Reclaimed);
    }
}

/// <summary>The body of <c>stats settings</c>.</summary>
internal static class SettingsStats
{
    public static void Write(CommandContext context)
    {
        ItemStore store = context.Store;
        ServerState server = context.Server;
        StatsCommand.Stat(context, "maxbytes", store.MemoryLimit);
        StatsCommand.Stat(context, "maxconns", server.MaximumConnections);
        StatsCommand.Stat(context, "tcpport", server.EndPoint.Port);
        StatsCommand.Stat(context, "udpport", 0);
        StatsCommand.Stat(context, "inter", server.EndPoint.Address.ToString());
        StatsCommand.Stat(context, "verbosity", server.Verbosity);
        StatsCommand.Stat(context, "oldest", 0);
        StatsCommand.Stat(context, "evictions", store.Evicts ? "on" : "off");
        StatsCommand.Stat(context, "domain_socket", "NULL");
        StatsCommand.Stat(context, "shutdown_command", "no");
        StatsCommand.Stat(context, "growth_factor", "1.25");
        StatsCommand.Stat(context, "chunk_size", 48);
        StatsCommand.Stat(context, "num_threads", Environment.ProcessorCount);
        StatsCommand.Stat(context, "stat_key_prefix", ":");
        StatsCommand.Stat(context, "detail_enabled", "no");
        StatsCommand.Stat(context, "cas_enabled", "yes");
        StatsCommand.Stat(context, "tcp_backlog", PortListener.Backlog);
        StatsCommand.Stat(context, "binding_protocol", "ascii");
        StatsCommand.Stat(context, "auth_enabled_sasl", "no");
        StatsCommand.Stat(context, "auth_enabled_ascii", context.Server.Users.AreAsked ? "yes" : "no");
        StatsCommand.Stat(context, "item_size_max", store.ItemLimit);
        StatsCommand.Stat(context, "maxconns_fast", "yes");
        StatsCommand.Stat(context, "slab_reassign", "no");
        StatsCommand.Stat(context, "slab_automove", 0);
        StatsCommand.Stat(context, "slab_chunk_max", SlabClasses.PageBytes / 2);
        StatsCommand.Stat(context, "lru_crawler", "no");
        StatsCommand.Stat(context, "flush_enabled", "yes");
        StatsCommand.Stat(context, "dump_enabled", "no");
        StatsCommand.Stat(context, "lru_maintainer_thread", "no");
        StatsCommand.Stat(context, "lru_segmented", "no");
        StatsCommand.Stat(context, "idle_timeout", 0);
        StatsCommand.Stat(context, "track_sizes", "no");
        StatsCommand.Stat(context, "ssl_enabled", "no");
    }
}
