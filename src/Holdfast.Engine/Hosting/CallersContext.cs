using System.Runtime.CompilerServices;

namespace Holdfast.Engine;

/// <summary>
/// The synchronization context of whoever calls from outside: often one thread, which may be blocked until the call ends. Long
/// work of ours (starting, disposing) leaves it at its beginning, so that no await anywhere below can wait for that thread.
/// </summary>
internal static class CallersContext
{
    /// <summary>Goes on on the pool.</summary>
    public static ConfiguredTaskAwaitable LeaveAsync() => Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
}
