namespace Holdfast.Client;

/// <summary>
/// A participant as its callers see it, written down once: each method is an action, and says what the action is told.
/// <code>
/// public sealed class Points(string url) : ParticipantContract(url)
/// {
///     public ParticipantCall Deduct(string user, long points) => Reserve("points", new DeductBody(user, points));
/// }
///
/// await tx.CallAsync("points", points, p => p.Deduct("ann", 10));
/// </code>
/// </summary>
/// <param name="baseUrl">Where the service is.</param>
public abstract class ParticipantContract(string baseUrl)
{
    private readonly string _root = baseUrl.TrimEnd('/') + "/";

    /// <summary>A reservation: <c>path/try</c>, then <c>path/confirm</c> or <c>path/cancel</c>, each told the same (TCC).</summary>
    /// <param name="path">Where the participant was mapped, below the service's address.</param>
    /// <param name="body">What it is told.</param>
    /// <param name="timeout">Longest wait for each answer; null: the server's default.</param>
    protected ParticipantCall Reserve<TBody>(string path, TBody body, TimeSpan? timeout = null) => new(branch =>
        branch.Try(Url(path, "/try"), body, timeout).Confirm(Url(path, "/confirm"), body, timeout).Cancel(Url(path, "/cancel"), body, timeout));

    /// <summary>A step that is done at once, <c>path/try</c>, and undone by <c>path/cancel</c> (saga).</summary>
    protected ParticipantCall Step<TBody>(string path, TBody body, TimeSpan? timeout = null) => new(branch =>
        branch.Try(Url(path, "/try"), body, timeout).Cancel(Url(path, "/cancel"), body, timeout));

    /// <summary>A delivery that is repeated until it succeeds: <c>path/confirm</c> (message).</summary>
    protected ParticipantCall Delivery<TBody>(string path, TBody body, TimeSpan? timeout = null) => new(branch =>
        branch.Confirm(Url(path, "/confirm"), body, timeout));

    private string Url(string path, string action) => _root + path.Trim('/') + action;
}

/// <summary>An action of a participant, and what it is told: made by a <see cref="ParticipantContract"/>.</summary>
public sealed class ParticipantCall
{
    private readonly Action<BranchBuilder> _fill;

    internal ParticipantCall(Action<BranchBuilder> fill) => _fill = fill;

    internal void Fill(BranchBuilder branch) => _fill(branch);
}
