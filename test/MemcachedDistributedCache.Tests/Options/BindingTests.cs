using System.Reflection;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Tests.Product;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>Options are bound by code that the compiler has seen: nothing is found by reflection, which trimming would break.</summary>
public sealed class BindingTests
{
    private const string Generated = "Microsoft.Extensions.Configuration.Binder.SourceGeneration";

    private static readonly (Type From, Type To, string Where)[] Uses = [.. new[] { typeof(MemcachedCache).Assembly, typeof(MemcachedClientOptions).Assembly }
        .SelectMany(static package => package.GetTypes())
        .SelectMany(static type => IlReader.Dependencies(type).Select(used => (type, used.Type, used.Where)))];

    [Fact]
    public void Nothing_calls_the_reflecting_binder()
        => Assert.Empty(Uses.Where(static use => use.To == typeof(ConfigurationBinder)).Select(static use => $"{use.From} {use.Where}"));

    [Fact]
    public void The_registrations_call_the_generated_one()
        => Assert.All(
            (Type[])[typeof(MemcachedCacheServiceCollectionExtensions), typeof(ClientRegistration)],
            static registration => Assert.Contains(Uses, use => Outermost(use.From) == registration && use.To.Namespace == Generated));

    [Fact]
    public void The_generated_one_sets_every_option()
    {
        AssertAllBind("", new MemcachedCacheOptions(), static options => options);
        AssertAllBind("Tls:", new MemcachedTlsOptions(), static options => options.Tls);
        AssertAllBind("Hybrid:", new MemcachedHybridCacheOptions(), static options => options.Hybrid);
    }

    private static void AssertAllBind(string prefix, object defaults, Func<MemcachedCacheOptions, object> part)
    {
        PropertyInfo[] options = [.. defaults.GetType().GetProperties().Where(static option => option.PropertyType != typeof(MemcachedHybridCacheOptions) && option.PropertyType != typeof(MemcachedTlsOptions))];
        Assert.NotEmpty(options);
        foreach (PropertyInfo option in options)
        {
            (string Text, object Value) sample = (Nullable.GetUnderlyingType(option.PropertyType) ?? option.PropertyType) switch
            {
                Type type when type == typeof(TimeSpan) => ("00:00:07.5", TimeSpan.FromSeconds(7.5)),
                Type type when type == typeof(int) => ("77777", 77777),
                Type type when type == typeof(bool) => ((option.GetValue(defaults) is not true).ToString(), option.GetValue(defaults) is not true),
                Type type when type == typeof(double) => ("0.125", 0.125),
                Type type when type == typeof(string) => ("text", "text"),
                Type type when type.IsEnum => (Enum.GetNames(type)[^1].ToLowerInvariant(), Enum.GetValues(type).GetValue(Enum.GetNames(type).Length - 1)!),
                Type type when type == typeof(IList<string>) => ("a,b", new List<string> { "a", "b" }),
                Type type => throw new NotSupportedException($"say here how {option.Name}, a {type}, is written in a configuration file"),
            };
            var services = new ServiceCollection();
            services.AddMemcachedDistributedCache(
                new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create(prefix + option.Name, (string?)sample.Text)]).Build());
            var bound = new MemcachedCacheOptions();
            using ServiceProvider provider = services.BuildServiceProvider();
            foreach (var configure in provider.GetServices<Microsoft.Extensions.Options.IConfigureOptions<MemcachedCacheOptions>>())
            {
                configure.Configure(bound);
            }

            Assert.Equal(sample.Value, option.GetValue(part(bound)));
        }
    }

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;
}
