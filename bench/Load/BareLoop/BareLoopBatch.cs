using System.Buffers.Text;

namespace MemcachedDistributedCache.Load.Fence;

/// <summary>Requests gathered for one send. Large values are not copied: the bare loop's caller keeps them still until the reply.</summary>
internal sealed class BareLoopBatch
{
    private const int LargeValue = 16 * 1024;
    private readonly List<(int Before, byte[] Value)> _large = [];
    private byte[] _bytes = new byte[64 * 1024];
    private int _length;

    /// <summary>Whether nothing was gathered.</summary>
    public bool IsEmpty => _length == 0;

    /// <summary><c>mg &lt;key&gt; v f t O&lt;opaque&gt;</c>.</summary>
    public void AddGet(ReadOnlySpan<byte> key, uint opaque)
    {
        Ensure(key.Length + 32);
        Put("mg "u8);
        Put(key);
        Put(" v f t O"u8);
        Put(opaque);
        Put("\r\n"u8);
    }

    /// <summary><c>ms &lt;key&gt; &lt;length&gt; T&lt;ttl&gt; O&lt;opaque&gt;</c> and the value.</summary>
    public void AddSet(ReadOnlySpan<byte> key, byte[] value, uint opaque)
    {
        bool large = value.Length >= LargeValue;
        Ensure(key.Length + 64 + (large ? 0 : value.Length));
        Put("ms "u8);
        Put(key);
        Put(" "u8);
        Put((uint)value.Length);
        Put(" T1201 O"u8);
        Put(opaque);
        Put("\r\n"u8);
        if (large)
        {
            _large.Add((_length, value));
        }
        else
        {
            Put(value);
        }

        Put("\r\n"u8);
    }

    /// <summary>Sends everything and forgets it.</summary>
    public async ValueTask SendAsync(BareLoopTransport transport)
    {
        int sent = 0;
        foreach ((int before, byte[] value) in _large)
        {
            await transport.SendAsync(_bytes.AsMemory(sent, before - sent));
            await transport.SendAsync(value);
            sent = before;
        }

        await transport.SendAsync(_bytes.AsMemory(sent, _length - sent));
        _large.Clear();
        _length = 0;
    }

    private void Ensure(int room)
    {
        if (_bytes.Length - _length < room)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + room));
        }
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Put(uint number)
    {
        Utf8Formatter.TryFormat(number, _bytes.AsSpan(_length), out int written);
        _length += written;
    }
}
