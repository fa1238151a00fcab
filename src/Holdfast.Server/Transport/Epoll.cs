using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Holdfast.Server.Transport;

/// <summary>Linux's epoll and the two calls that move bytes, as the system has them.</summary>
internal static unsafe partial class Epoll
{
    public const uint In = 0x001;
    public const uint Out = 0x004;
    public const uint Err = 0x008;
    public const uint Hup = 0x010;
    public const uint PeerClosed = 0x2000;
    public const uint EdgeTriggered = 1u << 31;

    public const int Again = 11;
    public const int Interrupted = 4;

    private const int DiscardsAtOnce = 256;
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;
    private const int AddOperation = 1;
    private const int NoSignal = 0x4000;
    private const int Peek = 2;
    private const int DontWait = 0x40;

    // The kernel packs epoll_event on x86-64 and nowhere else.
    public static readonly int EventBytes = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int TokenAt = EventBytes - sizeof(ulong);

    /// <summary>Whether this system has it.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>A set of sockets to wait for. Closed when nobody can use it any more, never earlier: its number may mean another file then.</summary>
    public static SafeFileHandle Create() => new(Checked(epoll_create1(CloseOnExec), "epoll_create1"), ownsHandle: true);

    /// <summary>A counter that can be waited for like a socket: how other threads wake the loop. Closed like the set.</summary>
    public static SafeFileHandle CreateWakeUp() => new(Checked(eventfd(0, CloseOnExec | NonBlocking), "eventfd"), ownsHandle: true);

    public static void Add(int epoll, int descriptor, uint events, ulong token)
    {
        byte* entry = stackalloc byte[16];
        *(uint*)entry = events;
        Unsafe.WriteUnaligned(entry + TokenAt, token);
        Checked(epoll_ctl(epoll, AddOperation, descriptor, entry), "epoll_ctl");
    }

    /// <summary>Waits for events, -1: for however long; the number that came. 0 also when a signal came in between.</summary>
    public static int Wait(int epoll, Span<byte> events, int milliseconds)
    {
        fixed (byte* at = events)
        {
            int count = epoll_wait(epoll, at, events.Length / EventBytes, milliseconds);
            return count < 0 && Marshal.GetLastPInvokeError() == Interrupted ? 0 : Checked(count, "epoll_wait");
        }
    }

    public static (uint Events, ulong Token) Event(ReadOnlySpan<byte> events, int index)
    {
        ReadOnlySpan<byte> entry = events.Slice(index * EventBytes, EventBytes);
        return (MemoryMarshal.Read<uint>(entry), MemoryMarshal.Read<ulong>(entry[TokenAt..]));
    }

    /// <summary>Bytes received, 0 at the end, or minus the error's number.</summary>
    public static int Receive(int socket, Span<byte> into)
    {
        fixed (byte* at = into)
        {
            nint count = recv(socket, at, (nuint)into.Length, DontWait);
            return count < 0 ? -Marshal.GetLastPInvokeError() : (int)count;
        }
    }

    /// <summary>Whether all that the peer sent was received, and it said that nothing more comes.</summary>
    public static bool IsAtEnd(int socket)
    {
        byte one;
        return recv(socket, &one, 1, DontWait | Peek) == 0;
    }

    /// <summary>Throws away what has been received; whether that was all that will ever come.</summary>
    public static bool Discard(int socket)
    {
        Span<byte> nowhere = stackalloc byte[4096];
        for (int i = 0; i < DiscardsAtOnce; i++)
        {
            int received = Receive(socket, nowhere);
            if (received <= 0)
            {
                return received is not (-Again or -Interrupted);
            }
        }

        return true; // one that sends without end is not waited for
    }

    /// <summary>Bytes sent, or minus the error's number.</summary>
    public static int Send(int socket, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* at = bytes)
        {
            nint count = send(socket, at, (nuint)bytes.Length, DontWait | NoSignal);
            return count < 0 ? -Marshal.GetLastPInvokeError() : (int)count;
        }
    }

    /// <summary>Whether the socket takes bytes now (or is over, which sending finds out).</summary>
    public static bool CanSend(int socket)
    {
        var entry = new PollEntry { Descriptor = socket, Events = (short)Out };
        return poll(&entry, 1, 0) != 0;
    }

    public static void WakeUp(int wakeUp)
    {
        ulong one = 1;
        _ = write(wakeUp, &one, sizeof(ulong));
    }

    public static void TakeWakeUp(int wakeUp)
    {
        ulong count;
        _ = read(wakeUp, &count, sizeof(ulong));
    }

    private static int Checked(int result, string call) => result >= 0
        ? result
        : throw new IOException($"{call} failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint count, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epoll, int operation, int descriptor, byte* entry);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(int epoll, byte* events, int max, int timeout);

    [LibraryImport("libc")]
    private static partial int poll(PollEntry* entries, nuint count, int timeout);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(int socket, byte* into, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(int socket, byte* bytes, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, void* into, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, void* bytes, nuint length);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}
