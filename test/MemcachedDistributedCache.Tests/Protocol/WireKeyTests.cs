using System.Buffers;
using System.Reflection;
using System.Text;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class WireKeyTests
{
    [Fact]
    public void Every_byte_is_judged_as_memcached_judges_it_wherever_it_stands()
    {
        foreach (int length in new[] { 1, 2, 15, 16, 17, 31, 32, 33, 64, 250 })
        {
            foreach (int at in new[] { 0, length / 2, length - 1 })
            {
                for (int value = 0; value < 256; value++)
                {
                    byte[] bytes = new byte[length];
                    bytes.AsSpan().Fill((byte)'k');
                    bytes[at] = (byte)value;
                    Assert.Equal(value is > ' ' and not 0x7f, WireKey.TryCreate(bytes, out WireKey key));
                    Assert.Equal(value is > ' ' and not 0x7f ? length : 0, key.Length);
                }
            }
        }
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(250, true)]
    [InlineData(251, false)]
    [InlineData(70_000, false)]
    public void A_key_has_1_to_250_bytes(int length, bool legal)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill((byte)'k');
        Assert.Equal(legal, WireKey.TryCreate(bytes, out _));
    }

    [Theory]
    [InlineData("x\r\nflush_all\r\nmn")]
    [InlineData("a b")]
    [InlineData("a\0")]
    [InlineData("")]
    public void What_is_no_key_is_refused_and_not_told(string text)
    {
        ArgumentException refused = Assert.Throws<ArgumentException>(() => WireKey.Of(Encoding.ASCII.GetBytes(text)).Length);
        Assert.DoesNotContain("flush", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_request_writes_a_key_that_was_never_checked()
    {
        byte[] room = new byte[1000];
        foreach (OperationKind kind in new[] { OperationKind.Get, OperationKind.Inspect, OperationKind.Touch, OperationKind.Delete, OperationKind.Probe })
        {
            Assert.Throws<ArgumentException>(() => new KeyRequest(kind, default, 1).Write(room, 1));
        }

        Assert.Throws<ArgumentException>(() => new LeaseRequest(default, 1, withValue: true, ownFlags: 0).Write(room, 1));
        Assert.Throws<ArgumentException>(() => new StoreRequest(default, default, ReadOnlySequence<byte>.Empty, 1, 0).Write(room, 1));
        Assert.Throws<ArgumentException>(() => new ConditionalDeleteRequest(default, 1).Write(room, 1));
    }

    /// <summary>The type is what holds it: no writer of a request, and no request, may be given a key as mere bytes.</summary>
    [Fact]
    public void Every_request_takes_its_key_as_the_checked_type()
    {
        IEnumerable<MethodBase> writers = typeof(MetaRequests).GetMethods(
            BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);
        IEnumerable<MethodBase> requests = typeof(IRequest)
            .Assembly.GetTypes()
            .Where(static type => type.IsValueType && type.GetInterfaces().Contains(typeof(IRequest)))
            .SelectMany(static type => type.GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic));
        IEnumerable<MethodBase> verbs = typeof(Backend.ICacheBackend).GetMethods().Where(static method => method.Name != "NodeOf");
        ParameterInfo[] keys = [.. writers.Concat(requests).Concat(verbs).SelectMany(static method => method.GetParameters()).Where(static parameter => parameter.Name == "key")];
        Assert.True(keys.Length >= 16, keys.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.All(keys, static key => Assert.Equal(typeof(WireKey), key.ParameterType));
        Assert.DoesNotContain(
            writers.Concat(requests).SelectMany(static method => method.GetParameters()),
            static parameter => parameter.ParameterType == typeof(ReadOnlySpan<byte>) && parameter.Name is not ("prefix" or "bytes"));
    }
}
