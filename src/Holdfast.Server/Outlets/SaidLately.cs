namespace Holdfast.Server.Outlets;

/// <summary>What one loop that tries again and again said last, so that its log isn't filled with the same.</summary>
internal sealed class SaidLately(TimeProvider time)
{
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(10);
    private string? _reason;
    private long _at;

    /// <summary>Whether this is to be said: it is another reason, or the same for a while.</summary>
    public bool IsNews(string reason)
    {
        long now = time.GetTimestamp();
        if (string.Equals(reason, _reason, StringComparison.Ordinal) && time.GetElapsedTime(_at, now) < AgainAfter)
        {
            return false;
        }

        (_reason, _at) = (reason, now);
        return true;
    }
}
