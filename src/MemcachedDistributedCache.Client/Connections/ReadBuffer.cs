using System.Buffers;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// The buffer that a connection reads into. It begins small, for a connection that is hardly used costs little then, and is
/// exchanged for a large one as soon as a read fills it.
/// </summary>
internal static class ReadBuffer
{
    /// <summary>The length that serves a connection in full use.</summary>
    public const int FullLength = 32 * 1024;

    private const int FirstLength = 4 * 1024;

    /// <summary>A buffer to begin with, from the shared pool.</summary>
    public static byte[] Rent() => ArrayPool<byte>.Shared.Rent(FirstLength);

    /// <summary>Makes room behind what is not read yet, which is at most one unfinished line, far shorter than the buffer.</summary>
    public static void MakeRoom(ref byte[] buffer, ref int start, ref int end)
    {
        int unread = end - start;
        if (end < buffer.Length)
        {
            if (unread == 0)
            {
                start = end = 0;
            }

            return;
        }

        byte[] next = buffer.Length < FullLength ? ArrayPool<byte>.Shared.Rent(FullLength) : buffer;
        buffer.AsSpan(start, unread).CopyTo(next);
        if (next != buffer)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = next;
        }

        start = 0;
        end = unread;
    }
}
