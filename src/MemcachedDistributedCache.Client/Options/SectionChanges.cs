using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace MemcachedDistributedCache.Options;

/// <summary>Tells that a section has changed from which the options of one name are bound.</summary>
internal sealed class SectionChanges<TOptions>(string name, IConfiguration section) : IOptionsChangeTokenSource<TOptions>
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public IChangeToken GetChangeToken() => section.GetReloadToken();
}
