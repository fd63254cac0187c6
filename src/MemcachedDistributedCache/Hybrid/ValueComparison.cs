using System.Collections;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using System.Text.Json;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Finds what serialization has lost, by walking through a value and what came back of it along the members that the metadata of
/// JSON knows. The text of both would be the same where the loss is in what was never written: so members are compared by what they
/// are, and also by fields that JSON does not know, where reflection is on. Bounded in everything, as values can be large.
/// </summary>
internal sealed class ValueComparison(Type root, JsonSerializerOptions options)
{
    private const int MaximumFound = 10;
    private const int MaximumDepth = 64;
    private const int MaximumElements = 256;

    private readonly HashSet<object> _within = new(ReferenceEqualityComparer.Instance);
    private readonly List<ValueDifference> _found = [];
    private int _left = 20_000;

    /// <summary>The differences, by members, each once.</summary>
    public static IReadOnlyList<ValueDifference> Between<T>(T value, T copy, JsonSerializerOptions options)
    {
        var comparison = new ValueComparison(typeof(T), options);
        comparison.Compare(value, copy, new Place(typeof(T), typeof(T).Name, Remedies.Other(typeof(T))));
        return [.. comparison._found.DistinctBy(static difference => difference.Member).Take(MaximumFound)];
    }

    /// <summary>Two are the same; if not, the differences have been noted.</summary>
    private bool Compare(object? value, object? copy, Place place)
    {
        if (ReferenceEquals(value, copy) || --_left < 0 || _within.Count > MaximumDepth || _found.Count >= MaximumFound)
        {
            return true;
        }

        if (value is null || copy is null)
        {
            return Note(place, value is null ? "what was null comes back as a value" : "it comes back as null");
        }

        Type actual = value.GetType();
        if ((copy is JsonElement && value is not JsonElement) || (copy is JsonNode && value is not JsonNode))
        {
            return Note(place with { Remedy = Remedies.Untyped(root) }, $"a {actual.Name} comes back as {copy.GetType().Name}");
        }

        if (!_within.Add(value))
        {
            return true; // a circle, or a box that is looked at already
        }

        try
        {
            return CompareAs(value, copy, place);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // A getter or an enumeration that throws says nothing of the rest.
            return true;
        }
        finally
        {
            _within.Remove(value);
        }
    }

    private bool CompareAs(object value, object copy, Place place)
    {
        Type actual = value.GetType();
        Type declared = Nullable.GetUnderlyingType(place.Declared) ?? place.Declared;
        if (!JsonMembers.TryDescribe(declared, options, out JsonTypeInfo? info) || declared == typeof(object) || info.PolymorphismOptions is not null)
        {
            // Written as what it is.
            declared = actual;
            if (!JsonMembers.TryDescribe(actual, options, out info))
            {
                return true;
            }
        }

        switch (info.Kind)
        {
            case JsonTypeInfoKind.Enumerable:
                return CompareElements((IEnumerable)value, (IEnumerable)copy, place, info.ElementType ?? typeof(object))
                    & ComparePublicMembers(value, copy, place);

            case JsonTypeInfoKind.Dictionary:
                return CompareEntries(value, copy, place, info.ElementType ?? typeof(object)) & ComparePublicMembers(value, copy, place);

            case JsonTypeInfoKind.Object when actual != copy.GetType():
                return Note(place with { Remedy = Remedies.Derived(root, declared, actual) }, $"a {actual.Name} comes back as {copy.GetType().Name}");

            case JsonTypeInfoKind.Object:
                return CompareMembers(value, copy, place, info);

            default:
                return IsSame(value, copy, info) || Note(place, "it comes back with another value");
        }
    }

    private bool CompareMembers(object value, object copy, Place place, JsonTypeInfo info)
    {
        bool isSame = true;
        foreach (JsonPropertyInfo property in info.Properties)
        {
            if (property.Get is not { } get)
            {
                continue;
            }

            bool isRead = property.Set is not null || property.AssociatedParameter is not null;
            object? before = get(value);
            Place member = place.Member(property.Name, property.PropertyType, isRead ? Remedies.Other(root) : Remedies.Member(root));
            int found = _found.Count;
            if (!Compare(before, get(copy), member))
            {
                isSame &= !isRead && Differs(before, get(value), member, found);
            }
        }

        // What a property has told is not told once more by the field behind it.
        return isSame && (!JsonSerializer.IsReflectionEnabledByDefault || CompareFields(value, copy, place, info));
    }

    /// <summary>
    /// A property that is computed gives another value each time, such as an age: then what was found of it is taken back.
    /// </summary>
    private bool Differs(object? before, object? now, Place member, int found)
    {
        int count = _found.Count;
        bool differs = !Compare(before, now, member);
        _found.RemoveRange(differs ? found : count, _found.Count - (differs ? found : count));
        return differs;
    }

    private bool CompareFields(object value, object copy, Place place, JsonTypeInfo info)
    {
        bool isSame = true;
        foreach (HiddenMember member in HiddenMembers.FieldsOf(value.GetType(), info))
        {
            isSame &= Compare(member.Get(value), member.Get(copy), place.Member(member.Name, member.Type, Remedies.NotWritten(root)));
        }

        return isSame;
    }

    /// <summary>A collection of the application's own may have members beside its elements, which are never written.</summary>
    private bool ComparePublicMembers(object value, object copy, Place place)
    {
        bool isSame = true;
        if (JsonSerializer.IsReflectionEnabledByDefault && value.GetType() == copy.GetType())
        {
            foreach (HiddenMember member in HiddenMembers.PropertiesOf(value.GetType()))
            {
                isSame &= Compare(member.Get(value), member.Get(copy), place.Member(member.Name, member.Type, Remedies.Collection(root)));
            }
        }

        return isSame;
    }

    private bool CompareElements(IEnumerable value, IEnumerable copy, Place place, Type element)
    {
        object?[] before = [.. value.Cast<object?>().Take(MaximumElements)];
        object?[] after = [.. copy.Cast<object?>().Take(MaximumElements)];
        if (before.Length != after.Length)
        {
            return Note(place, "it comes back with another number of elements");
        }

        int found = _found.Count;
        Place each = place.Element(element);
        if (!ElementsAreSame(before, after, each))
        {
            if (before.Length == MaximumElements || !MayBeReordered(before, after, each, found, out bool isReversed))
            {
                return false;
            }

            if (isReversed)
            {
                return Note(place with { Remedy = Remedies.Order(root) }, "its elements come back in reverse order");
            }
        }

        return !LosesComparer(before, text => (value as ICollection<string>)?.Contains(text), text => (copy as ICollection<string>)?.Contains(text))
            || NoteComparer(place);
    }

    private bool ElementsAreSame(object?[] before, IEnumerable<object?> after, Place each)
    {
        foreach ((object? first, object? second) in before.Zip(after))
        {
            if (!Compare(first, second, each))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The elements are the same in another order, as those of a set may be; then what was found is taken back.</summary>
    private bool MayBeReordered(object?[] before, object?[] after, Place each, int found, out bool isReversed)
    {
        isReversed = false;
        if (!JsonMembers.TryDescribe(each.Declared, options, out JsonTypeInfo? info))
        {
            return false;
        }

        string[] first = Array.ConvertAll(before, item => JsonSerializer.Serialize(item, info));
        string[] second = Array.ConvertAll(after, item => JsonSerializer.Serialize(item, info));
        if (first.SequenceEqual(second) || !first.Order(StringComparer.Ordinal).SequenceEqual(second.Order(StringComparer.Ordinal)))
        {
            return false; // not the order
        }

        isReversed = first.SequenceEqual(second.Reverse());
        _found.RemoveRange(found, _found.Count - found);
        return true;
    }

    private bool CompareEntries(object value, object copy, Place place, Type element)
    {
        if (value is IEnumerable<KeyValuePair<string, object?>> open && copy is IEnumerable<KeyValuePair<string, object?>> read and not IDictionary)
        {
            (value, copy) = (new Dictionary<string, object?>(open), new Dictionary<string, object?>(read));
        }

        if (value is not IDictionary before || copy is not IDictionary after)
        {
            return true;
        }

        if (before.Count != after.Count)
        {
            return Note(place, "it comes back with another number of elements");
        }

        Place each = place.Element(element);
        int left = MaximumElements;
        bool isSame = true;
        foreach (DictionaryEntry entry in before)
        {
            isSame &= after.Contains(entry.Key) ? Compare(entry.Value, after[entry.Key], each) : Note(place, "a key comes back as another");
            if (!isSame || --left == 0)
            {
                break;
            }
        }

        return isSame
            && (
                !LosesComparer(
                    [.. before.Keys.Cast<object?>().Take(MaximumElements)],
                    text => before.Contains(text),
                    text => after.Contains(text)) || NoteComparer(place));
    }

    /// <summary>Text in the other case is found in one and not in the other.</summary>
    private static bool LosesComparer(object?[] texts, Func<string, bool?> before, Func<string, bool?> after)
    {
        foreach (string text in texts.OfType<string>())
        {
            string upper = text.ToUpperInvariant();
#pragma warning disable CA1308 // The other case of what is in upper case is lower case.
            string other = upper == text ? text.ToLowerInvariant() : upper;
#pragma warning restore CA1308
            if (before(other) != after(other))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Two values that have no members are the same. Of a type that compares by reference only the text can be compared;
    /// that it compares by value is shown by a second copy.
    /// </summary>
    private static bool IsSame(object value, object copy, JsonTypeInfo info)
    {
        if (value.Equals(copy))
        {
            return true;
        }

        if (value is string)
        {
            return false; // lone surrogates
        }

        byte[] text = JsonSerializer.SerializeToUtf8Bytes(copy, info);
        return JsonSerializer.SerializeToUtf8Bytes(value, info).AsSpan().SequenceEqual(text) && !copy.Equals(JsonSerializer.Deserialize(text, info));
    }

    private bool NoteComparer(Place place)
        => Note(place with { Remedy = Remedies.Comparer(root) }, "its comparer comes back as the default one");

    private bool Note(Place place, string what)
    {
        _found.Add(new ValueDifference(place.Path, what, place.Remedy));
        return false;
    }

    private readonly record struct Place(Type Declared, string Path, string Remedy)
    {
        public Place Member(string name, Type type, string remedy) => new(type, $"{Path}.{name}", remedy);

        public Place Element(Type type) => this with { Declared = type, Path = $"{Path}[*]" };
    }
}
