namespace Holdfast.Kernel.Tests.Transactions;

/// <summary>A space with transactions whose calls a test answers by hand.</summary>
public abstract class TransactionScenario : Scenario
{
    private protected static BranchSpec Tcc(string name, params string[]? after) => new(name)
    {
        After = after is { Length: > 0 } ? after : null,
        Try = new CallSpec($"http://{name}/try"),
        Confirm = new CallSpec($"http://{name}/confirm"),
        Cancel = new CallSpec($"http://{name}/cancel"),
    };

    private protected static BranchSpec Step(string name, params string[]? after) => Tcc(name, after) with { Confirm = null };

    private protected static BranchSpec Deliver(string name) => new(name) { Confirm = new CallSpec($"http://{name}/deliver") };

    private protected static BranchSpec Hold(string name, string resource, long quantity, params string[]? after) => new(name)
    {
        After = after is { Length: > 0 } ? after : null,
        Hold = new HoldSpec("ann", 0, [new(resource, quantity)]),
    };

    private protected Answer Submit(string id, params BranchSpec[] branches) => Space.Decide(new BeginTransaction(Space.Hasher, id, branches));

    private protected Answer Begin(string id, params BranchSpec[] branches) => Space.Decide(new BeginTransaction(Space.Hasher, id, branches, callerDriven: true));

    private protected Answer Register(string id, BranchSpec branch) => Space.Decide(new RegisterBranch(Space.Hasher, id, branch));

    private protected Answer Commit(string id) => Space.Decide(new DecideTransaction(Space.Hasher, id, commit: true));

    private protected Answer Abort(string id) => Space.Decide(new DecideTransaction(Space.Hasher, id, commit: false));

    private protected Answer Get(string id) => Space.Decide(new GetTransaction(Space.Hasher, id));

    private protected TransactionView View(string id) => Get(id).Detail.ShouldBeOfType<TransactionView>();

    private protected string States(string id) => View(id).State + ": " + string.Join(' ', View(id).Branches.Select(b => b.Name + "=" + b.State));

    /// <summary>Every call that is due now, as "branch.op#attempt", in the order in which they are handed out.</summary>
    private protected string Due() => string.Join(' ', TakeDue().Select(c => $"{c.Branch}.{c.Op}#{c.Attempt}"));

    private protected List<DueCall> TakeDue()
    {
        var calls = new List<DueCall>();
        while (Space.Machine.TakeDueCall(Space.Now) is { } call)
        {
            calls.Add(call);
        }

        return calls;
    }

    /// <summary>The one call that is due.</summary>
    private protected DueCall One() => TakeDue().ShouldHaveSingleItem();

    private protected Answer Say(DueCall call, CallOutcome outcome, long retryMs = 1_000, string text = "said") =>
        Space.Decide(new AnswerCall(Space.Hasher, call, outcome, text, retryMs));

    /// <summary>Answers whatever is due, again and again, until nothing is; the order as "branch.op".</summary>
    private protected string Run(Func<DueCall, CallOutcome>? answer = null)
    {
        var order = new List<string>();
        for (List<DueCall> calls = TakeDue(); calls.Count > 0; calls = TakeDue())
        {
            foreach (DueCall call in calls)
            {
                order.Add($"{call.Branch}.{call.Op}");
                Say(call, answer?.Invoke(call) ?? CallOutcome.Done);
            }
        }

        return string.Join(' ', order);
    }
}
