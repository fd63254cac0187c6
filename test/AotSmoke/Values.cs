using System.Buffers;
using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.AotSmoke;

/// <summary>A value that could be changed: each caller has an object of its own.</summary>
internal sealed class Mutable
{
    public int Number { get; set; }

    public List<string> Words { get; set; } = [];
}

/// <summary>A value that says it cannot be changed: all callers share one object.</summary>
[ImmutableObject(true)]
internal sealed record Immutable(int Number, string Text);

/// <summary>A value without references.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Plain(int Left, long Right);

/// <summary>A value that no metadata describes.</summary>
internal sealed record Unlisted(int Number);

/// <summary>A value that a serializer of the application keeps.</summary>
internal sealed record Handmade(byte Number);

/// <summary>JSON of the values, without reflection.</summary>
[JsonSerializable(typeof(Mutable))]
[JsonSerializable(typeof(Immutable))]
[JsonSerializable(typeof(Plain))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(Immutable[]))]
internal sealed partial class ValuesJson : JsonSerializerContext;

/// <summary>Makes the serializer of <see cref="Handmade"/>, as a package of serializers would.</summary>
internal sealed class HandmadeFactory : IHybridCacheSerializerFactory
{
    public bool TryCreateSerializer<T>([NotNullWhen(true)] out IHybridCacheSerializer<T>? serializer)
    {
        serializer = typeof(T) == typeof(Handmade) ? (IHybridCacheSerializer<T>)(object)new HandmadeSerializer() : null;
        return serializer is not null;
    }

    private sealed class HandmadeSerializer : IHybridCacheSerializer<Handmade>
    {
        public Handmade Deserialize(ReadOnlySequence<byte> source) => new(source.FirstSpan[0]);

        public void Serialize(Handmade value, IBufferWriter<byte> target)
        {
            target.GetSpan(1)[0] = value.Number;
            target.Advance(1);
        }
    }
}
