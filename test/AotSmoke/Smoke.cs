using System.Text.Json.Serialization;

namespace MemcachedDistributedCache.AotSmoke;

/// <summary>A cached value.</summary>
internal sealed record Smoke(int Number, string Text);

/// <summary>Its JSON, without reflection.</summary>
[JsonSerializable(typeof(Smoke))]
internal sealed partial class SmokeJson : JsonSerializerContext;
