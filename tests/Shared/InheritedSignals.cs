using System.Globalization;

namespace Holdfast.TestKit;

/// <summary>What a process that a test starts makes of signals before it says anything itself.</summary>
public static class InheritedSignals
{
    private const string Field = "SigIgn:";

    /// <summary>
    /// Whether Ctrl-C can't reach it: a shell that starts a program in the background has it ignore that signal, so do all that it
    /// starts in turn, and the runtime leaves it so.
    /// </summary>
    public static bool InterruptIsIgnored { get; } = OperatingSystem.IsLinux()
        && (ulong.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith(Field, StringComparison.Ordinal))[Field.Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 2) != 0;
}
