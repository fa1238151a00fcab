using System.Globalization;

namespace Holdfast.TestKit;

/// <summary>What a process that a test starts makes of signals before it says anything itself.</summary>
public static class InheritedSignals
{
    private const string Field = "SigIgn:";

    private static readonly ulong Ignored = OperatingSystem.IsLinux()
        ? ulong.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith(Field, StringComparison.Ordinal))[Field.Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : 0;

    /// <summary>
    /// Skips a test whose signal can't reach such a process: a shell that starts a program in the background has it ignore Ctrl-C, and
    /// nohup the end of the terminal; so do all that it starts in turn, and the runtime leaves it so.
    /// </summary>
    public static void SkipWhenIgnored(int signal) =>
        Assert.SkipWhen((Ignored & (1UL << (signal - 1))) != 0, $"run where signal {signal} is ignored, as in a shell's background or under nohup");
}
