using System.Text;
using Holdfast.Engine;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Holdfast.Testing;

/// <summary>
/// A coordinator with its participants, callers and network from one seed, on one thread, in virtual time. The coordinator
/// is the product's own loop, pipeline, loader and machine; the network delays, reorders, repeats and loses; participants
/// refuse, fail before and after their work, or say "not yet"; the coordinator crashes between any two steps. Then
/// everything heals, and the oracle holds the participants' books against the outcome of every transaction.
/// </summary>
public sealed class TransactionSimulation
{
    /// <summary>What participants say beside their status: it decides nothing (E77).</summary>
    private static readonly string[] Words = ["FAILURE", "SUCCESS", "", "409", "refused"];

    private const long HoldSupply = 60;

    private readonly TransactionSimulationOptions _options;
    private readonly Random _random;
    private readonly VirtualTime _time = new(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000));
    private readonly NameHasher _hasher;
    private readonly SpaceOptions _spaceOptions = new() { MaxBatchCommands = 16 };
    private readonly SimulatedParticipant[] _participants;
    private readonly SimulatedParticipant _sender;
    private readonly List<SimulatedTransaction> _transactions = [];
    private readonly List<Action> _network = [];
    private readonly Dictionary<(string Id, string Name), PlannedBranch> _planned = [];
    private readonly int _seed;

    private MemoryJournalStore _store = new();
    private FaultyJournal _journal = null!;
    private JournalPipeline _pipeline = null!;
    private RequestQueue _queue = null!;
    private SpaceLoop _loop = null!;
    private LoadedSpace _loaded = null!;
    private string? _problem;
    private bool _healed;
    private int _life;
    private int _calls;
    private int _crashes;
    private int _meddled;

    private TransactionSimulation(int seed, TransactionSimulationOptions options)
    {
        _seed = seed;
        _options = options;
        _random = new Random(seed);
        _hasher = new NameHasher((ulong)seed, 7);
        _participants = [.. Enumerable.Range(0, options.Participants).Select(_ => new SimulatedParticipant(options.Supply, options.Fault))];
        _sender = new SimulatedParticipant(0, TransactionFault.None);
        for (int i = 0; i < options.Transactions; i++)
        {
            _transactions.Add(SimulatedTransaction.Make(i, _random, options));
            foreach (PlannedBranch branch in _transactions[i].Branches)
            {
                _planned[(_transactions[i].Id, branch.Name)] = branch;
            }
        }
    }

    /// <summary>Runs one seed to its end.</summary>
    public static TransactionSimulationReport Run(int seed, TransactionSimulationOptions? options = null) =>
        new TransactionSimulation(seed, options ?? new TransactionSimulationOptions()).Run();

    private TransactionSimulationReport Run()
    {
        Start();
        Stock();
        for (int step = 0; step < _options.Steps && _problem is null; step++)
        {
            Step();
        }

        Heal();
        TransactionView[] ended = [.. _transactions.Select(t => View(t.Id)).OfType<TransactionView>()];
        _problem ??= TransactionOracle.Check(_transactions, View, HoldState, _participants, _sender);
        _problem ??= _loaded.Machine.FindImbalance();
        return new TransactionSimulationReport(
            _seed, _problem, ended.Length, ended.Count(t => t.State == TransactionState.Confirmed), _calls, _meddled, _crashes, _loaded.Machine.Digest);
    }

    private void Step()
    {
        switch (_random.Next(100))
        {
            case < 20:
                Advance(_transactions[_random.Next(_transactions.Count)]);
                break;
            case < 45:
                _loop.Turn(mayWait: false);
                break;
            case < 62:
                MoveJournal();
                break;
            case < 92:
                MoveNetwork();
                break;
            case < 97:
                _time.Move(TimeSpan.FromMilliseconds(_random.Next(8) == 0 ? -_random.Next(2_000) : _random.Next(400)));
                break;
            case < 98:
                Meddle(_transactions[_random.Next(_transactions.Count)]);
                break;
            default:
                Crash();
                break;
        }

        Recover();
    }

    private void Recover()
    {
        if (_pipeline.Failure is not null)
        {
            while (_journal.Pending > 0)
            {
                _journal.Settle(AppendFate.UnknownLost);
            }

            Start();
        }
    }

    private void MoveJournal()
    {
        if (_journal.Pending > 0)
        {
            _journal.Settle(_random.Next(60) switch
            {
                0 => AppendFate.NotWritten,
                1 => AppendFate.UnknownWritten,
                2 => AppendFate.UnknownLost,
                _ => AppendFate.Written,
            });
        }
    }

    /// <summary>Whatever is on its way arrives in any order, twice, or never.</summary>
    private void MoveNetwork()
    {
        if (_network.Count == 0)
        {
            return;
        }

        int at = _random.Next(_network.Count);
        Action message = _network[at];
        if (_random.Next(8) != 0)
        {
            _network.RemoveAt(at); // else it arrives now and once more later
        }

        message();
    }

    private void Crash()
    {
        _crashes++;
        while (_journal.Pending > 0 && _random.Next(2) == 0)
        {
            _journal.Settle(AppendFate.Written);
        }

        if (_options.Fault == TransactionFault.DecisionLost)
        {
            _store = LostFrame.DropLast(_journal, 1);
        }

        Start();
    }

    private void Start()
    {
        _life++;
        _journal = new FaultyJournal(_store.Get("default"), rule: null, maxInFlight: _random.Next(1, 4));
        var loader = new SpaceLoader("default", _journal, _spaceOptions, _hasher, _time, NullLogger.Instance);
        _loaded = loader.LoadAsync(default).GetAwaiter().GetResult();
        foreach (SimulatedTransaction transaction in _transactions)
        {
            transaction.Waiting = false;
        }

        _queue = new RequestQueue(256);
        var teller = new Teller(_queue, _time);
        _pipeline = new JournalPipeline(_journal, _loaded.Tail, teller, static _ => { }, static () => { }, batch =>
        {
            foreach (DueCall call in batch.Calls)
            {
                Dispatch(call);
            }
        });
        _loop = new SpaceLoop(_loaded, _pipeline, _queue, teller, _spaceOptions, _time, new SpaceMetrics(), makesCalls: true);
    }

    // --- the network between coordinator and participants -----------------------------------------------------------

    /// <summary>A call goes out. One result comes back to this life of the coordinator: the answer, or that there was none.</summary>
    private void Dispatch(DueCall call)
    {
        int life = _life;
        bool told = false;
        _network.Add(() =>
        {
            CallOutcome outcome = Reach(call.Transaction, call.Branch, call.Op);
            bool answerArrives = _healed || _random.Next(6) != 0;
            _network.Add(() => Tell(answerArrives ? outcome : CallOutcome.Unknown));
        });
        if (!_healed && _random.Next(5) == 0)
        {
            _network.Add(() => Tell(CallOutcome.Unknown)); // a timeout; the request may still be underway
        }

        void Tell(CallOutcome outcome)
        {
            if (told || life != _life)
            {
                return;
            }

            told = true;
            Send(new AnswerCall(_hasher, call, outcome, Words[_random.Next(Words.Length)], _random.Next(1, 2_000)), static _ => { });
        }
    }

    /// <summary>A request reaches its participant, which may fail before its work, or after it.</summary>
    private CallOutcome Reach(string transaction, string branch, CallOp op)
    {
        _calls++;
        int mood = _healed ? 9 : _random.Next(10);
        if (mood == 0)
        {
            return CallOutcome.Unknown;
        }

        if (mood == 1)
        {
            return CallOutcome.Later;
        }

        CallOutcome outcome = op == CallOp.Check
            ? _sender.Handle(transaction + "/-", BranchKind.Delivery, CallOp.Check, 0)
            : Work(transaction, branch, op);
        return mood == 2 ? CallOutcome.Unknown : outcome;
    }

    private CallOutcome Work(string transaction, string branch, CallOp op)
    {
        PlannedBranch planned = _planned[(transaction, branch)];
        SimulatedParticipant participant = _participants[planned.Participant];
        string name = transaction + "/" + branch;
        int before = participant.Ran.Count;
        CallOutcome outcome = participant.Handle(name, planned.Kind, op, planned.Amount);
        if (participant.Ran.Count > before)
        {
            SimulatedTransaction of = _transactions.Find(t => t.Id == transaction)!;
            _problem ??= TransactionOracle.Ran(of, planned, op, _participants);
        }

        _problem ??= participant.FindImbalance();
        return outcome;
    }

    // --- callers ------------------------------------------------------------------------------------------------------

    private void Advance(SimulatedTransaction transaction)
    {
        if (transaction.IsOver || (transaction.Waiting && _random.Next(4) != 0))
        {
            return;
        }

        if (transaction.Step >= transaction.DiesAfterStep)
        {
            transaction.IsOver = true;
            return;
        }

        switch (transaction.Driver)
        {
            case Driver.Coordinator:
                Submit(transaction);
                break;
            case Driver.Caller:
                Drive(transaction);
                break;
            default:
                SendMessage(transaction);
                break;
        }
    }

    /// <summary>Somebody comes with another body under an id that is taken (E72), or with a branch after the decision (E71).</summary>
    private void Meddle(SimulatedTransaction transaction)
    {
        BranchSpec other = new("other") { Hold = new HoldSpec(null, 0, [new("sku", 1)]) };
        if (transaction.ToldBegun)
        {
            Send(new BeginTransaction(_hasher, transaction.Id, [other]), answer => Refused(answer, Code.Conflict, "was begun a second time, with another body"));
        }

        if (transaction.ToldDecision is { } commits)
        {
            Send(new RegisterBranch(_hasher, transaction.Id, other), answer => Refused(answer, commits ? Code.Confirmed : Code.Cancelled, "took a branch after its decision"));
        }

        void Refused(in Answer answer, Code with, string otherwise)
        {
            if (answer.Code is Code.Unavailable or Code.Overloaded)
            {
                return;
            }

            _meddled++;
            if (answer.Code == Code.Ok)
            {
                _problem ??= $"{transaction.Id} {otherwise}";
            }
            else if (answer.Code != with)
            {
                _problem ??= $"{transaction.Id}: a meddler was answered {answer.Code.Text()}, not {with.Text()}";
            }
        }
    }

    private void Submit(SimulatedTransaction transaction) => Ask(
        transaction,
        new BeginTransaction(_hasher, transaction.Id, [.. transaction.Branches.Select(SimulatedTransaction.Spec)], timeoutMs: transaction.TimeoutMs),
        answer =>
        {
            transaction.ToldBegun |= answer.Code == Code.Ok;
            Note(transaction, answer);

            // Now and then it submits again though it was answered.
            transaction.IsOver = answer.Code != Code.Ok || _random.Next(3) != 0;
        });

    private void Drive(SimulatedTransaction transaction)
    {
        int step = transaction.Step;
        if (step == 0)
        {
            Ask(transaction, new BeginTransaction(_hasher, transaction.Id, [], callerDriven: true, timeoutMs: transaction.TimeoutMs), answer => Next(transaction, answer, step));
            return;
        }

        int index = (step - 1) / 2;
        if (index >= transaction.Branches.Count || transaction.RefusedByBranch)
        {
            Decide(transaction, transaction.MeansToCommit && !transaction.RefusedByBranch);
            return;
        }

        PlannedBranch branch = transaction.Branches[index];
        if (step % 2 == 1)
        {
            Ask(transaction, new RegisterBranch(_hasher, transaction.Id, SimulatedTransaction.Spec(branch)), answer => Next(transaction, answer, step));
            return;
        }

        if (branch.Kind == BranchKind.Hold)
        {
            transaction.Step = step + 1;
            return;
        }

        // The caller's own try, over the same network; repeated until it is answered.
        transaction.Waiting = true;
        _network.Add(() =>
        {
            CallOutcome outcome = Reach(transaction.Id, branch.Name, CallOp.Try);
            if (transaction.Step != step || _random.Next(6) == 0)
            {
                return;
            }

            transaction.Waiting = false;
            if (outcome is CallOutcome.Done or CallOutcome.Refused)
            {
                transaction.RefusedByBranch |= outcome == CallOutcome.Refused;
                transaction.Step = step + 1;
            }
        });
    }

    private void Next(SimulatedTransaction transaction, in Answer answer, int step)
    {
        transaction.ToldBegun |= answer.Code == Code.Ok;
        if (transaction.Step == step)
        {
            transaction.RefusedByBranch |= answer.Code != Code.Ok;
            transaction.Step = step + 1;
        }
    }

    private void Decide(SimulatedTransaction transaction, bool commit) => Ask(
        transaction,
        new DecideTransaction(_hasher, transaction.Id, commit),
        answer =>
        {
            Note(transaction, answer);
            transaction.IsOver = true;
        });

    private void SendMessage(SimulatedTransaction transaction)
    {
        int step = transaction.Step;
        switch (step)
        {
            case 0:
                Ask(
                    transaction,
                    new BeginTransaction(
                        _hasher, transaction.Id, [.. transaction.Branches.Select(SimulatedTransaction.Spec)], callerDriven: true, timeoutMs: transaction.TimeoutMs, checkBack: new CallSpec("http://sender/")),
                    answer => Next(transaction, answer, step));
                break;
            case 1 when transaction.RefusedByBranch:
                transaction.IsOver = true; // not prepared: there must be no local work
                break;
            case 1 when transaction.MeansToCommit:
                transaction.LocalDone = _sender.DoLocalWork(transaction.Id + "/-");
                transaction.Step++;
                break;
            case 1:
                transaction.IsOver = true; // its local work failed; the check-back will find out
                break;
            default:
                if (transaction.LocalDone)
                {
                    Decide(transaction, commit: true);
                }
                else
                {
                    transaction.IsOver = true;
                }

                break;
        }
    }

    private void Ask(SimulatedTransaction transaction, Command command, Action<Answer> answered)
    {
        int life = _life;
        transaction.Waiting = true;
        Send(command, answer =>
        {
            if (life == _life && answer.Code is not (Code.Unavailable or Code.Overloaded))
            {
                transaction.Waiting = false;
                answered(answer);
            }
        });
    }

    private void Send(Command command, Action<Answer> answered)
    {
        if (command.Problem is { } wrong)
        {
            _problem ??= "the simulator sends what is not valid: " + wrong;
        }

        _queue.TryPush(new SimulatedCommand(command, answered));
    }

    /// <summary>What was told of a decision must never change.</summary>
    private void Note(SimulatedTransaction transaction, in Answer answer)
    {
        bool? decision = answer.Code switch
        {
            Code.Confirmed => true,
            Code.Cancelled => false,
            Code.Ok when answer.Detail is TransactionView { State: not TransactionState.Trying } view =>
                view.State is TransactionState.Confirming or TransactionState.Confirmed,
            _ => null,
        };
        if (decision is null)
        {
            return;
        }

        if (transaction.ToldDecision is { } before && before != decision)
        {
            _problem ??= $"{transaction.Id} was told to {(before ? "commit" : "abort")}, and later the other";
        }

        transaction.ToldDecision = decision;
    }

    // --- the end ------------------------------------------------------------------------------------------------------

    /// <summary>The network loses nothing more, participants work, operators retry: everything must end.</summary>
    private void Heal()
    {
        _healed = true;
        for (int round = 0; round < 400 && _problem is null; round++)
        {
            _loop.Turn(mayWait: false);
            while (_journal.Pending > 0)
            {
                _journal.Settle(AppendFate.Written);
            }

            for (int messages = _network.Count; messages > 0; messages--)
            {
                Action message = _network[0];
                _network.RemoveAt(0);
                message();
            }

            _loop.Turn(mayWait: false);
            while (_journal.Pending > 0)
            {
                _journal.Settle(AppendFate.Written);
            }

            _time.Move(TimeSpan.FromMilliseconds(700));
            if (_network.Count == 0 && _loaded.Machine.OpenTransactions == 0 && round > 60)
            {
                return;
            }

            if (round % 50 == 49)
            {
                foreach (SimulatedTransaction transaction in _transactions.Where(t => View(t.Id) is { IsStuck: true }))
                {
                    Send(new RetryTransaction(_hasher, transaction.Id, null), static _ => { });
                }
            }
        }

        TransactionView? open = _transactions.Select(t => View(t.Id)).FirstOrDefault(v => v is { EndedAtMs: 0 });
        _problem ??= open is null ? "messages are underway for ever" : $"{open.Id} never ends: {open}, branches {string.Join(' ', open.Branches)}";
    }

    private TransactionView? View(string id) => _loaded.Machine.Read(new GetTransaction(_hasher, id))!.Value.Detail as TransactionView;

    private HoldState HoldState(string id)
    {
        var get = new GetHold(_hasher);
        get.Reset(Encoding.UTF8.GetBytes(id));
        return _loaded.Machine.Read(get)!.Value.State;
    }

    private void Stock()
    {
        var put = new PutResource(_hasher);
        put.Reset("sku"u8, ResourcePolicy.Default);
        var adjust = new AdjustSupply(_hasher);
        adjust.ResetDelta("sku"u8, "supply"u8, HoldSupply, "opening"u8);
        Send(put, static _ => { });
        Send(adjust, static _ => { });
        _loop.Turn(mayWait: false);
        while (_journal.Pending > 0)
        {
            _journal.Settle(AppendFate.Written);
        }
    }
}
