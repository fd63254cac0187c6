namespace MemcachedDistributedCache.Vocabulary;

/// <summary>A node of a cluster, as what names one; the same object as long as the node is one of the cluster's.</summary>
internal interface IClusterNode;
