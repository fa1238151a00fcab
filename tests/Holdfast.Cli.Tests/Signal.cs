using System.Runtime.InteropServices;

namespace Holdfast.Cli.Tests;

/// <summary>Signals to a process, as a shell, a terminal or the system sends them.</summary>
internal static class Signal
{
    public const int HangUp = 1;
    public const int Interrupt = 2;
    public const int Kill = 9;
    public const int Terminate = 15;

    public static void Send(int process, int signal) => Deliver(process, signal).ShouldBe(0, $"signal {signal} to {process}");

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Deliver(int process, int signal);
}
