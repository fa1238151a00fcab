using Holdfast.Client.Http;

namespace Holdfast.Client;

/// <summary>
/// A whole transaction, written down before it is submitted: the coordinator then tries the branches and carries all to
/// the same end.
/// </summary>
public sealed class TransactionPlan
{
    private readonly List<BranchBody> _branches = [];
    private readonly bool _isMessage;
    private TimeSpan? _timeout;
    private CallBody? _checkBack;

    private TransactionPlan(string id, bool isMessage)
    {
        Id = HttpChannel.PathId(id, nameof(id));
        _isMessage = isMessage;
    }

    /// <summary>The transaction's id: the key of idempotency.</summary>
    public string Id { get; }

    internal bool IsMessage => _isMessage;

    /// <summary>Try, confirm, cancel: every branch reserves first; then all are consumed or all released.</summary>
    public static TransactionPlan Tcc(string id) => new(id, isMessage: false);

    /// <summary>Steps that are done at once, and undone in reverse when a later one is refused.</summary>
    public static TransactionPlan Saga(string id) => new(id, isMessage: false);

    /// <summary>
    /// Deliveries that follow from local work: <see cref="TransactionsClient.PrepareAsync"/>, do the work, then
    /// <see cref="TransactionsClient.CommitAsync"/>. If that call is lost, the check-back settles whether the work was done.
    /// </summary>
    public static TransactionPlan Message(string id) => new(id, isMessage: true);

    /// <summary>A branch by its calls.</summary>
    public TransactionPlan Branch(string name, Action<BranchBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var branch = new BranchBuilder(name);
        configure(branch);
        _branches.Add(branch.Build());
        return this;
    }

    /// <summary>A branch at a participant known in code.</summary>
    public TransactionPlan Branch<TBody>(string name, ParticipantAddress<TBody> participant, TBody body, params string[] after)
    {
        ArgumentNullException.ThrowIfNull(participant);
        return Branch(name, branch =>
        {
            participant.Fill(branch, body);
            if (after.Length > 0)
            {
                branch.After(after);
            }
        });
    }

    /// <summary>A branch that is an action of a participant known in code.</summary>
    public TransactionPlan Branch<TParticipant>(string name, TParticipant participant, Func<TParticipant, ParticipantCall> action, params string[] after)
        where TParticipant : ParticipantContract
    {
        ArgumentNullException.ThrowIfNull(action);
        return Branch(name, branch =>
        {
            action(participant).Fill(branch);
            if (after.Length > 0)
            {
                branch.After(after);
            }
        });
    }

    /// <summary>A saga's step: what does it and what undoes it, told the same.</summary>
    public TransactionPlan Step<TBody>(string name, string doUrl, string undoUrl, TBody body, params string[] after) => Branch(name, branch =>
    {
        branch.Try(doUrl, body).Cancel(undoUrl, body);
        if (after.Length > 0)
        {
            branch.After(after);
        }
    });

    /// <summary>A message's delivery: repeated until it succeeds.</summary>
    public TransactionPlan Deliver<TBody>(string name, string url, TBody body) => Branch(name, branch => branch.Confirm(url, body));

    /// <summary>A hold in the coordinator's own space: decided with the transaction, without any call.</summary>
    public TransactionPlan Hold(string name, string? owner, params HoldLine[] lines)
    {
        _branches.Add(new BranchBody(name, null, null, null, null, new HoldBranchBody(owner, null, [.. lines.Select(l => new LineBody(l.Resource, l.Quantity))])));
        return this;
    }

    /// <summary>Until it must be decided; the server's default is 60 seconds.</summary>
    public TransactionPlan Timeout(TimeSpan timeout)
    {
        _timeout = timeout;
        return this;
    }

    /// <summary>Where a message's sender is asked, past the deadline, whether its local work was done.</summary>
    public TransactionPlan CheckBack(string url)
    {
        _checkBack = new CallBody(url, null, null);
        return this;
    }

    internal BeginBody Build(DateTimeOffset issuedAt) => _isMessage && _checkBack is null
        ? throw new InvalidOperationException("A message needs a check-back: CheckBack(url). Without it a lost submit would cancel what was done.")
        : new BeginBody(Id, (decimal?)_timeout?.TotalSeconds, issuedAt, _isMessage ? true : null, _checkBack, [.. _branches]);
}
