using System.Reflection.Emit;
using System.Reflection;

namespace MemcachedDistributedCache.Tests.Product;

/// <summary>Finds every type that a type's code speaks of: signatures, fields, locals, and the tokens in method bodies.</summary>
internal static class IlReader
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
    private static readonly Dictionary<short, OpCode> OpCodesByValue = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(static field => (OpCode)field.GetValue(null)!)
        .ToDictionary(static code => code.Value);

    /// <summary>The types that one type depends on, each with the member that does.</summary>
    public static IEnumerable<(Type Type, string Where)> Dependencies(Type type)
    {
        foreach (Type used in new[] { type.BaseType }.Concat(type.GetInterfaces()).OfType<Type>().SelectMany(Parts))
        {
            yield return (used, "its base");
        }

        foreach (FieldInfo field in type.GetFields(All))
        {
            foreach (Type used in Parts(field.FieldType))
            {
                yield return (used, field.Name);
            }
        }

        foreach (MethodBase method in type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)))
        {
            foreach (Type used in Signature(method).Concat(Body(type, method)).SelectMany(Parts))
            {
                yield return (used, method.Name);
            }
        }
    }

    private static IEnumerable<Type> Signature(MethodBase method)
        => method.GetParameters().Select(static p => p.ParameterType).Append((method as MethodInfo)?.ReturnType ?? typeof(void));

    private static IEnumerable<Type> Body(Type type, MethodBase method)
    {
        if (method.GetMethodBody() is not { } body || body.GetILAsByteArray() is not { } code)
        {
            yield break;
        }

        foreach (LocalVariableInfo local in body.LocalVariables)
        {
            yield return local.LocalType;
        }

        foreach (ExceptionHandlingClause clause in body.ExceptionHandlingClauses.Where(static c => c.Flags == ExceptionHandlingClauseOptions.Clause))
        {
            yield return clause.CatchType!;
        }

        Type[] typeArguments = type.GetGenericArguments();
        Type[] methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : [];
        for (int at = 0; at < code.Length;)
        {
            short value = code[at] == 0xFE ? (short)(0xFE00 | code[at + 1]) : code[at];
            at += code[at] == 0xFE ? 2 : 1;
            OpCode operation = OpCodesByValue[value];
            if (operation.OperandType is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok)
            {
                MemberInfo? member = type.Module.ResolveMember(BitConverter.ToInt32(code, at), typeArguments, methodArguments);
                foreach (Type used in TypesOf(member))
                {
                    yield return used;
                }
            }

            at += operation.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(code, at)),
                _ => 4,
            };
        }
    }

    private static IEnumerable<Type> TypesOf(MemberInfo? member) => member switch
    {
        Type type => [type],
        FieldInfo field => [field.DeclaringType!, field.FieldType],
        MethodInfo method => [method.DeclaringType!, .. Signature(method), .. method.GetGenericArguments()],
        MethodBase method => [method.DeclaringType!, .. Signature(method)],
        _ => [],
    };

    private static IEnumerable<Type> Parts(Type type)
    {
        if (type.HasElementType)
        {
            return Parts(type.GetElementType()!);
        }

        if (type.IsGenericParameter)
        {
            return type.GetGenericParameterConstraints();
        }

        return type.IsGenericType ? type.GetGenericArguments().SelectMany(Parts).Append(type.GetGenericTypeDefinition()) : [type];
    }
}
