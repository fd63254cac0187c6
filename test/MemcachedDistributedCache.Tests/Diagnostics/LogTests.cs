using System.Reflection;
using MemcachedDistributedCache.Diagnostics;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Tests.Diagnostics;

public sealed class LogTests
{
    private static readonly FieldInfo[] Ids = typeof(EventIds).GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static);

    [Fact]
    public void EventIdsAreConstantsUniqueAndInRange()
    {
        Assert.NotEmpty(Ids);
        Assert.All(Ids, static id => Assert.True(id.IsLiteral, id.Name));
        int[] values = [.. Ids.Select(static id => (int)id.GetRawConstantValue()!)];
        Assert.Equal(values.Length, values.Distinct().Count());
        Assert.All(values, static value => Assert.InRange(value, 1000, 3999));
    }

    [Fact]
    public void EveryMessageHasAnIdOfItsOwnName()
    {
        (string Method, int Id)[] messages = [.. typeof(EventIds).Assembly.GetTypes()
            .SelectMany(static type => type.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Select(static method => (method.Name, method.GetCustomAttribute<LoggerMessageAttribute>()?.EventId))
            .Where(static m => m.EventId is not null)
            .Select(static m => (m.Name, m.EventId!.Value))];
        Assert.Equal(Ids.Select(static id => (id.Name, (int)id.GetRawConstantValue()!)).Order(), messages.Order());
    }
}
