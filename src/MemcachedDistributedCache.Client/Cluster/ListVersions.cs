namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Judges by its version whether a list of servers takes the place of the one in use. Each node of a service tells the
/// list as far as it has heard of it, so an older list can come after a newer one. A version that only grows would let
/// one wrong answer, with the highest version that there is, hold the list for ever. So an older list is taken too when
/// nobody answers of the newer one, or when the endpoint keeps to it. That the endpoint's address has changed proves
/// nothing: each node of a service may be the endpoint. Used by one question at a time.
/// </summary>
internal sealed class ListVersions(TimeProvider time, TimeSpan interval)
{
    /// <summary>So many answers in a row keep to an older list before it is taken.</summary>
    public const int Repetitions = 3;

    private IReadOnlyList<ServerSpec> _servers = [];
    private long? _version;
    private long _contraryVersion;
    private int _contraryAnswers;
    private long _contrarySince;

    /// <summary>The list in use; empty before the first.</summary>
    public IReadOnlyList<ServerSpec> Servers => _servers;

    /// <summary>A reason not to use a list; null where it may be used. Each answer is to be judged once.</summary>
    /// <param name="version">The version; null for a list that has none, to which there is never an objection.</param>
    /// <param name="servers">The servers.</param>
    /// <param name="isAnyUp">A server of the list in use answers.</param>
    public string? Objection(long? version, IReadOnlyList<ServerSpec> servers, bool isAnyUp)
    {
        bool isContrary = version < _version || (version is not null && version == _version && NamesOthers(servers));
        if (!isContrary)
        {
            _contraryAnswers = 0;
            return null;
        }

        return HasBeenKept(version!.Value) || !isAnyUp ? null
            : version == _version ? $"it tells another list than before as version {version}"
            : $"it tells version {version} of the list, after version {_version}";
    }

    /// <summary>The list is not the one in use.</summary>
    public bool IsOther(long? version, IReadOnlyList<ServerSpec> servers) => _servers.Count == 0 || version != _version || NamesOthers(servers);

    /// <summary>The list is in use from now on.</summary>
    public void Use(long? version, IReadOnlyList<ServerSpec> servers) => (_version, _servers, _contraryAnswers) = (version, servers, 0);

    private bool NamesOthers(IReadOnlyList<ServerSpec> servers) => !_servers.ToHashSet().SetEquals(servers);

    /// <summary>
    /// Counts an older list. Nodes that fail have the questions asked every few seconds, in which no news travels, so
    /// the time counts as well.
    /// </summary>
    private bool HasBeenKept(long version)
    {
        if (_contraryAnswers == 0 || version < _contraryVersion)
        {
            _contraryAnswers = 0;
            _contrarySince = time.GetTimestamp();
        }

        _contraryVersion = version;
        _contraryAnswers++;
        return _contraryAnswers >= Repetitions && time.GetElapsedTime(_contrarySince) >= interval * (Repetitions - 1);
    }
}
