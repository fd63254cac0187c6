using System.Reflection;
using System.Text;
using Xunit;

namespace MemcachedDistributedCache.Testing;

/// <summary>The public surface of a package is a text file that a person has read: PublicApi.txt beside the test project, copied to its output.</summary>
public static class PublicSurface
{
    private static readonly NullabilityInfoContext Nullability = new();

    /// <summary>The public types, by name.</summary>
    public static IReadOnlyList<Type> TypesOf(Assembly assembly) => [.. assembly.GetExportedTypes().OrderBy(static t => t.FullName, StringComparer.Ordinal)];

    /// <summary>Fails, and tells the difference, if the surface is not the one that was read.</summary>
    /// <param name="tests">The assembly of the tests.</param>
    /// <param name="products">Those of the packages.</param>
    public static void IsTheReviewedOne(Assembly tests, params Assembly[] products)
    {
        string actual = string.Concat(products.Select(Describe));
        string expected = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "PublicApi.txt")).ReplaceLineEndings("\n");
        if (actual == expected)
        {
            return;
        }

        string written = Path.Combine(AppContext.BaseDirectory, "PublicApi.actual.txt");
        File.WriteAllText(written, actual);
        string[] before = expected.Split('\n');
        string[] now = actual.Split('\n');
        Assert.Fail($"The public API is not what test/{tests.GetName().Name}/PublicApi.txt says. If the change is meant, review it and copy\n"
            + $"{written}\nover that file.\n"
            + string.Join('\n', before.Except(now, StringComparer.Ordinal).Select(static line => "- " + line.Trim()).Concat(now.Except(before, StringComparer.Ordinal).Select(static line => "+ " + line.Trim()))));
    }

    private static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (Type type in TypesOf(assembly))
        {
            text.Append(Kind(type)).Append(' ').Append(type.FullName);
            string[] bases = [.. new[] { type.BaseType }.Where(b => b is not null && b != typeof(object) && !type.IsEnum && !type.IsValueType).Concat(type.IsEnum ? [] : type.GetInterfaces()).Select(static b => Name(b!)).Order(StringComparer.Ordinal)];
            text.Append(bases.Length == 0 ? "" : " : " + string.Join(", ", bases)).Append('\n');
            foreach (string member in Members(type).Order(StringComparer.Ordinal))
            {
                text.Append("    ").Append(member).Append('\n');
            }
        }

        return text.ToString();
    }

    private static IEnumerable<string> Members(Type type)
    {
        const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        if (type.IsEnum)
        {
            return Enum.GetNames(type).Select(name => $"{name} = {Convert.ToInt64(Enum.Parse(type, name))}");
        }

        IEnumerable<string> constructors = type.GetConstructors(Declared).Where(IsVisible).Select(c => $"{type.Name}({Parameters(c)})");
        IEnumerable<string> methods = type.GetMethods(Declared).Where(m => IsVisible(m) && (!m.IsSpecialName || m.Name.StartsWith("op_", StringComparison.Ordinal)))
            .Select(static m => $"{Modifiers(m)}{Name(m.ReturnType, Nullability.Create(m.ReturnParameter))} {m.Name}({Parameters(m)})");
        IEnumerable<string> properties = type.GetProperties(Declared).Where(static p => p.GetAccessors(nonPublic: true).Any(IsVisible))
            .Select(static p => $"{Modifiers(p.GetAccessors(nonPublic: true).First(IsVisible))}{Name(p.PropertyType, Nullability.Create(p))} {p.Name} {{ {Accessors(p)} }}");
        IEnumerable<string> fields = type.GetFields(Declared).Where(static f => f.IsPublic || f.IsFamily).Select(static f => $"{Name(f.FieldType)} {f.Name}");
        return constructors.Concat(methods).Concat(properties).Concat(fields);
    }

    private static string Kind(Type type)
        => type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct"
            : type is { IsAbstract: true, IsSealed: true } ? "static class" : type.IsSealed ? "sealed class" : type.IsAbstract ? "abstract class" : "class";

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Accessors(PropertyInfo property)
    {
        string get = property.GetMethod is { } getter && IsVisible(getter) ? "get;" : "";
        bool init = property.SetMethod?.ReturnParameter.GetRequiredCustomModifiers().Length > 0;
        string set = property.SetMethod is { } setter && IsVisible(setter) ? init ? "init;" : "set;" : "";
        return $"{get} {set}".Trim();
    }

    private static string Modifiers(MethodBase method)
        => (method.IsStatic ? "static " : "") + (method.IsAbstract ? "abstract " : method.IsVirtual && !method.IsFinal ? "virtual " : "") + (method.IsPublic ? "" : "protected ");

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(static p =>
        $"{Name(p.ParameterType, Nullability.Create(p))} {p.Name}{(p.HasDefaultValue ? " = " + (p.DefaultValue ?? "default") : "")}"));

    private static string Name(Type type, NullabilityInfo? info = null)
    {
        string mark = info?.ReadState == NullabilityState.Nullable && Nullable.GetUnderlyingType(type) is null ? "?" : "";
        if (type.IsByRef)
        {
            return "ref " + Name(type.GetElementType()!);
        }

        if (type.IsArray)
        {
            return Name(type.GetElementType()!, info?.ElementType) + "[]" + mark;
        }

        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Name(underlying) + "?";
        }

        if (!type.IsGenericType)
        {
            return (type.FullName ?? type.Name) + mark;
        }

        string definition = type.GetGenericTypeDefinition().FullName!;
        IEnumerable<string> arguments = type.GetGenericArguments().Select((argument, i) => Name(argument, info?.GenericTypeArguments.ElementAtOrDefault(i)));
        return $"{definition[..definition.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", arguments)}>{mark}";
    }
}
