using MemcachedDistributedCache.Cluster;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>The rules of each option of a client by itself, from its attributes.</summary>
[OptionsValidator]
internal sealed partial class MemcachedClientOptionsValidator : IValidateOptions<MemcachedClientOptions>;

/// <summary>The rules of each option of encrypted connections by itself, from its attributes.</summary>
[OptionsValidator]
internal sealed partial class MemcachedTlsOptionsValidator : IValidateOptions<MemcachedTlsOptions>;

/// <summary>The rules between options of a client.</summary>
internal sealed class MemcachedClientOptionsRules : IValidateOptions<MemcachedClientOptions>
{
    private readonly UsableFiles _usable = new();

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, MemcachedClientOptions options)
    {
        var result = new ValidateOptionsResultBuilder();
        AddErrors(name, options, _usable, result);
        return result.Build();
    }

    /// <summary>Adds each broken rule with its remedy. Options that are a client's and more have these rules too.</summary>
    public static void AddErrors(string? name, MemcachedClientOptions options, UsableFiles usable, ValidateOptionsResultBuilder result)
    {
        if (options.NamedServers.Contradiction is { } contradiction)
        {
            result.AddError(contradiction, nameof(options.Servers));
        }

        bool isDiscoverySet = options.Discovery is { Length: > 0 };
        ServerSpec[] endpoints = EndpointsIn(options.Servers ?? []);
        if (options.Servers is not { Count: > 0 } && !isDiscoverySet && options.ServerSource is null)
        {
            result.AddError(
                $"Servers is {(options.Servers is null ? "null" : "[]")}; name at least one server, such as 'mc1:11211', in the connection string or under Servers of the configuration section, or set Discovery; or call AddEmbeddedMemcached() for nodes inside the process, in development and tests.",
                nameof(options.Servers));
        }

        if (endpoints.Length > 1 || (endpoints.Length == 1 && isDiscoverySet && endpoints[0] != DiscoveryEndpoint.Of(options)))
        {
            result.AddError(
                $"Servers has '{endpoints[^1].Address.Host}' to be asked for servers ('discover='), and another endpoint is named as well, by Discovery or in Servers; name one.",
                nameof(options.Discovery));
        }

        if (options.ServerSource is { } source && (isDiscoverySet || endpoints.Length != 0))
        {
            result.AddError(
                $"Discovery, or 'discover=' in Servers, names who tells the servers, and {source.Name} is to tell them as well (UseServerSource); leave out one of them.",
                nameof(options.Discovery));
        }

        bool readFiles = !usable.Contains(name, options);
        string? credentials = CredentialRules.Error(options, readFiles);
        if (credentials is not null)
        {
            result.AddError(credentials, nameof(options.UserName));
        }

        string[] tls = [.. TlsRules.Errors(options.Tls, readFiles)];
        Array.ForEach(tls, error => result.AddError(error, nameof(options.Tls)));
        if (credentials is null && tls.Length == 0)
        {
            usable.Add(name, options);
        }

        if (options.Tls is { Enabled: true, ServerName: null, CaFile: null } && DiscoveryEndpoint.Of(options) is { Discovers: DiscoveryKind.Service })
        {
            result.AddError(
                "Discovery asks DNS for the servers, and Tls takes any certificate of a public authority for the name that DNS tells, which proves nothing; set Tls:ServerName or Tls:CaFile.",
                nameof(options.Tls));
        }

        if (options.MaximumReconnectDelay < options.ReconnectDelay)
        {
            result.AddError(
                $"MaximumReconnectDelay is {options.MaximumReconnectDelay}, less than ReconnectDelay, which is {options.ReconnectDelay}; raise the one or lower the other.",
                nameof(options.MaximumReconnectDelay));
        }

        if (options.IdleTimeout != Timeout.InfiniteTimeSpan && options.IdleTimeout <= options.OperationTimeout)
        {
            result.AddError(
                $"IdleTimeout is {options.IdleTimeout}, not more than OperationTimeout, which is {options.OperationTimeout}; a connection must be able to wait for one operation. Raise IdleTimeout.",
                nameof(options.IdleTimeout));
        }

        if (options.MaximumRetries > 0 && options.AttemptTimeout >= options.OperationTimeout)
        {
            result.AddError(
                $"AttemptTimeout is {options.AttemptTimeout}, not less than OperationTimeout, which is {options.OperationTimeout}; no retry would have time. Lower AttemptTimeout, raise OperationTimeout, or set MaximumRetries to 0.",
                nameof(options.AttemptTimeout));
        }

        if (options.MaximumRetries > 0 && options.RetryDelay >= options.OperationTimeout)
        {
            result.AddError(
                $"RetryDelay is {options.RetryDelay}, not less than OperationTimeout, which is {options.OperationTimeout}; no retry would have time. Lower RetryDelay, raise OperationTimeout, or set MaximumRetries to 0.",
                nameof(options.RetryDelay));
        }
    }

    private static ServerSpec[] EndpointsIn(IEnumerable<string> servers)
        => [
            .. servers
                .Select(static server => ServerSpec.TryParse(server, out ServerSpec? spec, out _) ? spec : null)
                .OfType<ServerSpec>()
                .Where(static spec => spec.Discovers != DiscoveryKind.None),
        ];
}
