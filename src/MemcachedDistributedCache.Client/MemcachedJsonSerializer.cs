using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace MemcachedDistributedCache;

/// <summary>
/// Text as UTF-8 and integers as decimal digits, both with flags 0, as clients in other languages write them and as
/// <c>increment</c> needs them; every other type as JSON with the flags <see cref="JsonFlags"/>. It reads JSON with flags 0 too, which
/// another client may have written. Text is read with the flags that clients of Python give it, and an integer with any of the lower half,
/// for the digits tell that it is one. Other flags are those of another format, and are not guessed at.
/// </summary>
public sealed class MemcachedJsonSerializer : IMemcachedSerializer
{
    /// <summary>The client flags of JSON. No bit of the lower half is set, in which other clients keep the types of their languages.</summary>
    public const uint JsonFlags = 0x4A00_0000;

    /// <summary>The flags of text in python-memcached, and in pymemcache with the serializer that is like it.</summary>
    private const uint PythonTextFlags = 16;

    private const int LongestInteger = 20;

    private readonly JsonSerializerOptions _options;

    /// <summary>Makes a serializer.</summary>
    /// <param name="options">
    /// How JSON is written. With a <see cref="JsonSerializerOptions.TypeInfoResolver"/> that is generated at build time it needs no
    /// reflection, which an application that is trimmed or natively compiled does not have.
    /// </param>
    public MemcachedJsonSerializer(JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
    }

    /// <summary>JSON by reflection, where the application has that; elsewhere text, integers and bytes alone.</summary>
    internal static MemcachedJsonSerializer Default { get; } = new(ByReflection());

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">JSON has no form for the type, or there is no metadata for it.</exception>
    public uint Serialize<T>(T value, IBufferWriter<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (typeof(T) == typeof(string))
        {
            Encoding.UTF8.GetBytes((string)(object)value!, destination);
            return 0;
        }

        if (IsInteger<T>())
        {
            Span<byte> digits = destination.GetSpan(LongestInteger);
            if (!((IUtf8SpanFormattable)value!).TryFormat(digits, out int length, default, CultureInfo.InvariantCulture))
            {
                throw new InvalidOperationException("The destination has no room for an integer.");
            }

            destination.Advance(length);
            return 0;
        }

        using var writer = new Utf8JsonWriter(destination, new JsonWriterOptions
        {
            Encoder = _options.Encoder,
            Indented = _options.WriteIndented,
            MaxDepth = _options.MaxDepth,
            SkipValidation = true,
        });
        JsonSerializer.Serialize(writer, value, TypeOf<T>());
        return JsonFlags;
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">JSON has no form for the type, or there is no metadata for it.</exception>
    public bool TryDeserialize<T>(ReadOnlyMemory<byte> source, uint flags, [MaybeNullWhen(false)] out T value)
    {
        value = default;
        ReadOnlySpan<byte> bytes = source.Span;
        if (typeof(T) == typeof(string))
        {
            bool isText = flags is 0 or PythonTextFlags && Utf8.IsValid(bytes);
            value = isText ? (T)(object)Encoding.UTF8.GetString(bytes) : default;
            return isText;
        }

        if (IsInteger<T>())
        {
            return flags <= ushort.MaxValue && TryReadInteger(bytes, out value);
        }

        if (flags is not (0 or JsonFlags))
        {
            return false;
        }

        try
        {
            value = JsonSerializer.Deserialize(bytes, TypeOf<T>())!;
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Without reflection the options have no resolver, and every type is refused.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "As above.")]
    private static JsonSerializerOptions ByReflection() => JsonSerializer.IsReflectionEnabledByDefault ? JsonSerializerOptions.Default : new JsonSerializerOptions();

    private JsonTypeInfo<T> TypeOf<T>()
        => _options.TypeInfoResolver is null
            ? throw new NotSupportedException(
                $"There is no metadata to write {typeof(T)} as JSON, since this application has no reflection. "
                + "Give the client one that is generated: MemcachedClientOptions.UseSerializer(new MemcachedJsonSerializer(YourContext.Default.Options)).")
            : (JsonTypeInfo<T>)_options.GetTypeInfo(typeof(T));

    private static bool IsInteger<T>()
        => typeof(T) == typeof(int) || typeof(T) == typeof(long) || typeof(T) == typeof(uint) || typeof(T) == typeof(ulong)
            || typeof(T) == typeof(short) || typeof(T) == typeof(ushort) || typeof(T) == typeof(sbyte) || typeof(T) == typeof(byte);

    /// <summary>
    /// Reads digits, before which a minus may stand. memcached leaves spaces behind a number that a decrement has made shorter.
    /// </summary>
    private static bool TryReadInteger<T>(ReadOnlySpan<byte> bytes, [MaybeNullWhen(false)] out T value)
    {
        bytes = bytes.TrimEnd((byte)' ');
        value = default;
        object? number = null;
        if (typeof(T) == typeof(ulong))
        {
            number = Utf8Parser.TryParse(bytes, out ulong read, out int used) && used == bytes.Length ? read : null;
        }
        else if (Utf8Parser.TryParse(bytes, out long read, out int used) && used == bytes.Length)
        {
            number = Type.GetTypeCode(typeof(T)) switch
            {
                TypeCode.Int64 => read,
                TypeCode.Int32 when read is >= int.MinValue and <= int.MaxValue => (int)read,
                TypeCode.UInt32 when read is >= 0 and <= uint.MaxValue => (uint)read,
                TypeCode.Int16 when read is >= short.MinValue and <= short.MaxValue => (short)read,
                TypeCode.UInt16 when read is >= 0 and <= ushort.MaxValue => (ushort)read,
                TypeCode.SByte when read is >= sbyte.MinValue and <= sbyte.MaxValue => (sbyte)read,
                TypeCode.Byte when read is >= 0 and <= byte.MaxValue => (byte)read,
                _ => null,
            };
        }

        value = number is null ? default : (T)number;
        return number is not null;
    }
}
