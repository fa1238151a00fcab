namespace Holdfast.Engine;

/// <summary>
/// Sockets, or whatever else brings a space its requests, on the space's own thread: what arrives is decided without
/// another thread being woken, and what arrives meanwhile makes the next batch larger. Nothing it runs may block.
/// </summary>
public interface ILoopGuest
{
    /// <summary>The space's thread takes over; false when another one has.</summary>
    bool Enter();

    /// <summary>The space's thread serves no longer: the guest waits on a thread of its own again.</summary>
    void Leave();

    /// <summary>Waits until something has come, <see cref="Wake"/> was called, or the time is up.</summary>
    /// <param name="milliseconds">The longest wait; 0: only looks.</param>
    void Wait(int milliseconds);

    /// <summary>Handles what <see cref="Wait"/> found.</summary>
    void Handle();

    /// <summary>Ends a <see cref="Wait"/>; called from any thread.</summary>
    void Wake();
}
