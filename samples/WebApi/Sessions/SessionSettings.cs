using System.ComponentModel.DataAnnotations;

namespace WebApi.Sessions;

/// <summary>Section <c>Session</c>.</summary>
internal sealed class SessionSettings
{
    /// <summary>How long a session lives after its last request: the sliding window of its cache entry.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(20);
}
