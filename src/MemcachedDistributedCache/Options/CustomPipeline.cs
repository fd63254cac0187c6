using Polly;

namespace MemcachedDistributedCache.Options;

/// <summary>The application's own strategies.</summary>
internal static class CustomPipeline
{
    /// <summary>The pipeline of options that have one. It goes by the I/O clock.</summary>
    public static ResiliencePipeline Of(MemcachedCacheOptions options, TimeProvider ioTime)
    {
        var builder = new ResiliencePipelineBuilder { TimeProvider = ioTime };
        options.Resilience!(builder);
        return builder.Build();
    }
}
