namespace Holdfast.Testing;

/// <summary>A clock that stands still until it is moved; it may be moved back, as real ones are.</summary>
public sealed class VirtualTime(DateTimeOffset start) : TimeProvider
{
    private DateTimeOffset _now = start;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _now;

    /// <summary>Moves the clock.</summary>
    public void Move(TimeSpan by) => _now += by;
}
