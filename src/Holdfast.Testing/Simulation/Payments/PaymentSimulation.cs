using System.Globalization;
using System.Text;
using Holdfast.Engine;
using Holdfast.Engine.Payments;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Holdfast.Testing;

/// <summary>
/// A shop, its shoppers and two payment providers from one seed, on one thread, in virtual time: one provider that is
/// called (orders, polling, closing, refunds) and one that only sends callbacks. Callbacks come late, out of order, often,
/// or only after the hold is gone; answers are lost after the work was done; shoppers pay twice, another amount, too late,
/// or for nobody's order; the server crashes between any two steps. Then everything heals, and the oracle holds the
/// providers' books against the shop's: each payment is in one paid checkout or went back whole.
/// </summary>
public sealed class PaymentSimulation
{
    private const string Called = "called";
    private const string Heard = "heard";
    private const long Price = 1_000;

    private readonly PaymentSimulationOptions _options;
    private readonly Random _random;
    private readonly VirtualTime _time = new(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000));
    private readonly NameHasher _hasher;
    private readonly SpaceOptions _spaceOptions = new()
    {
        MaxBatchCommands = 16,
        Checkouts = new CheckoutOptions { CloseGraceMs = 1_500, PollFirstMs = 600, PollMaxMs = 5_000, LaterMs = 300, MaxFailures = 50 },
    };

    private readonly Dictionary<string, SimulatedPsp> _psps;
    private readonly Dictionary<string, SimulatedWire> _wires;
    private readonly SimulatedShopper[] _shoppers;
    private readonly List<Action> _network = [];
    private readonly HashSet<string> _byHand = new(StringComparer.Ordinal);
    private readonly MemoryJournalStore _store = new();
    private readonly int _seed;

    private FaultyJournal _journal = null!;
    private JournalPipeline _pipeline = null!;
    private RequestQueue _queue = null!;
    private SpaceLoop _loop = null!;
    private LoadedSpace _loaded = null!;
    private string? _problem;
    private bool _healed;
    private int _life;
    private int _crashes;
    private int _conflicted;
    private int _forged;

    private PaymentSimulation(int seed, PaymentSimulationOptions options)
    {
        _seed = seed;
        _options = options;
        _random = new Random(seed);
        _hasher = new NameHasher((ulong)seed, 11);
        _psps = new(StringComparer.Ordinal) { [Called] = new SimulatedPsp(Called, options.Fault), [Heard] = new SimulatedPsp(Heard, options.Fault) };
        _wires = _psps.Keys.ToDictionary(channel => channel, channel => new SimulatedWire(channel, options.Fault), StringComparer.Ordinal);
        _shoppers = [.. Enumerable.Range(0, options.Checkouts).Select(i => new SimulatedShopper(
            "c" + i.ToString(CultureInfo.InvariantCulture),
            _random.Next(2) == 0 ? Called : Heard,
            _random.Next(1, 3),
            _random.Next(500, 6_000))
        {
            PaysTimes = _random.Next(10) switch { < 2 => 0, < 8 => 1, _ => 2 },
            PaysAnotherAmount = _random.Next(12) == 0,
            SettlesLate = _random.Next(5) == 0,
            Cancels = _random.Next(6) == 0,
            RefundsLater = _random.Next(6) == 0,
            Disputes = _random.Next(8) == 0,
        })];
    }

    /// <summary>Runs one seed to its end.</summary>
    public static PaymentSimulationReport Run(int seed, PaymentSimulationOptions? options = null) =>
        new PaymentSimulation(seed, options ?? new PaymentSimulationOptions()).Run();

    private PaymentSimulationReport Run()
    {
        Start();
        Stock();
        for (int step = 0; step < _options.Steps && _problem is null; step++)
        {
            Step();
        }

        Heal();
        CheckoutView[] views = [.. _shoppers.Select(s => View(s.Id)).OfType<CheckoutView>()];
        CheckoutView[] suspense = [.. List(CheckoutState.Suspense)];
        _problem ??= PaymentOracle.Check(views, suspense, _psps, HoldState, Consumed());
        _problem ??= _shoppers.Where(s => s.ToldPaid && View(s.Id)?.State != CheckoutState.Paid).Select(s => $"{s.Id} was told that it is paid, and is not").FirstOrDefault();
        _problem ??= _loaded.Machine.FindImbalance();
        return new PaymentSimulationReport(
            _seed,
            _problem,
            views.Count(v => v.State == CheckoutState.Paid),
            views.Count(v => v.Rescued),
            views.Sum(v => v.Payments.Count(p => p.Use == PaymentUse.GoesBack)),
            _conflicted,
            suspense.Length,
            _forged,
            _psps.Values.Sum(p => p.Disputed.Count),
            _crashes,
            _loaded.Machine.Digest);
    }

    private void Step()
    {
        switch (_random.Next(100))
        {
            case < 18:
                Advance(_shoppers[_random.Next(_shoppers.Length)]);
                break;
            case < 40:
                _loop.Turn(mayWait: false);
                break;
            case < 56:
                MoveJournal();
                break;
            case < 74:
                MoveNetwork();
                break;
            case < 86:
                CallBack();
                break;
            case < 97:
                _time.Move(TimeSpan.FromMilliseconds(_random.Next(10) == 0 ? -_random.Next(1_000) : _random.Next(500)));
                break;
            case 97 when _random.Next(3) == 0:
                Forge();
                break;
            case < 98:
                _psps[_random.Next(2) == 0 ? Called : Heard].Pay("nobodys-" + _random.Next(3).ToString(CultureInfo.InvariantCulture), Price);
                break;
            default:
                Crash();
                break;
        }

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
            _network.RemoveAt(at);
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

        Start();
    }

    private void Start()
    {
        _life++;
        _journal = new FaultyJournal(_store.Get("default"), rule: null, maxInFlight: _random.Next(1, 4));
        var loader = new SpaceLoader("default", _journal, _spaceOptions, _hasher, _time, NullLogger.Instance);
        _loaded = loader.LoadAsync(default).GetAwaiter().GetResult();
        _queue = new RequestQueue(256);
        var teller = new Teller(_queue, _time);
        _pipeline = new JournalPipeline(_journal, _loaded.Tail, teller, static _ => { }, static () => { }, batch =>
        {
            foreach (PaymentCall call in batch.PaymentCalls)
            {
                Dispatch(call);
            }
        });
        _loop = new SpaceLoop(_loaded, _pipeline, _queue, teller, _spaceOptions, _time, new SpaceMetrics(), makesPaymentCalls: true);
    }

    // --- providers ----------------------------------------------------------------------------------------------------

    /// <summary>A call goes out; its answer may be lost before or after the provider's work.</summary>
    private void Dispatch(PaymentCall call)
    {
        int life = _life;
        bool told = false;
        _network.Add(() =>
        {
            if (!_healed && _random.Next(8) == 0)
            {
                Tell(new PaymentResult(PaymentOutcome.Unknown, "never arrived"));
                return;
            }

            if (call.Op == PaymentOp.Close)
            {
                SettleNow(call.Order, atClose: true);
            }

            PaymentResult result = _psps[call.Channel].Answer(call);
            _network.Add(() => Tell(_healed || _random.Next(6) != 0 ? result : new PaymentResult(PaymentOutcome.Unknown, "no answer")));
        });

        void Tell(PaymentResult result)
        {
            if (!told && life == _life)
            {
                told = true;
                Send(new AnswerPaymentCall(_hasher, call, result, _random.Next(1, 1_500)), static _ => { });
            }
        }
    }

    /// <summary>A payment underway settles: some in time for the close to see it, some after it.</summary>
    private void SettleNow(string order, bool atClose)
    {
        SimulatedPsp psp = _psps[Called];
        if (psp.Settling.Contains(order) && (!atClose || _random.Next(2) == 0))
        {
            psp.Pay(order, Price);
        }
    }

    /// <summary>One of the callbacks that are still owed is sent, once more perhaps.</summary>
    private void CallBack()
    {
        SimulatedPsp psp = _psps[_random.Next(2) == 0 ? Called : Heard];
        if (psp.Unacknowledged.Count > 0)
        {
            Deliver(psp, psp.Unacknowledged[_random.Next(psp.Unacknowledged.Count)]);
        }
    }

    private void Deliver(SimulatedPsp psp, PaymentNotice notice)
    {
        int life = _life;
        if (_wires[notice.Channel].Carry(notice, _time.GetUtcNow()) is not { } carried)
        {
            _problem ??= $"a genuine callback was refused: {notice}";
            return;
        }

        PaymentNotice arrives = _options.Fault switch
        {
            PaymentFault.AmountNotChecked when notice.Kind == NoticeKind.Paid => carried with { Amount = Price },
            PaymentFault.PaymentNotKnownAgain => carried with { EventId = notice.EventId + "-" + _random.Next(1_000_000), Transaction = notice.Transaction + (_random.Next(3) == 0 ? "-again" : "") },
            _ => carried,
        };
        if (_options.Fault == PaymentFault.AcknowledgedTooEarly)
        {
            psp.Unacknowledged.Remove(notice);
        }

        Send(new TakeNotice(_hasher, arrives, notice.Channel == Called), answer =>
        {
            if (_options.Fault == PaymentFault.DisputeRestocks && answer is { Code: Code.Ok, Repeat: false } && notice.Kind == NoticeKind.Disputed)
            {
                Restock(notice.Checkout!);
            }

            // The acknowledgement may be lost on its way; then it comes once more.
            if (life == _life && answer.Code == Code.Ok && answer.Detail as string != PaymentNotice.Early && (_healed || _random.Next(5) != 0))
            {
                psp.Unacknowledged.Remove(notice);
            }
        });
    }

    /// <summary>A stranger says that an order was paid (E34), or the provider probes (E35): neither reaches the state.</summary>
    private void Forge()
    {
        _forged++;
        SimulatedShopper shopper = _shoppers[_random.Next(_shoppers.Length)];
        var claim = new PaymentNotice
        {
            Channel = shopper.Channel,
            EventId = "forged-" + _forged.ToString(CultureInfo.InvariantCulture),
            Kind = NoticeKind.Paid,
            Checkout = shopper.Id,
            Transaction = "forged-" + _forged.ToString(CultureInfo.InvariantCulture),
            Amount = Price,
            Currency = "EUR",
        };
        if (_wires[shopper.Channel].Forge(claim, _random.Next(4), _time.GetUtcNow()) is { } taken)
        {
            Send(new TakeNotice(_hasher, taken, taken.Channel == Called), static _ => { });
        }

        if (SimulatedWire.Probe(_time.GetUtcNow()) is var refusal && refusal != Refusals.Probe)
        {
            _problem ??= $"the provider's probe was answered {refusal ?? "as genuine"}";
        }
    }

    private void Restock(string checkout)
    {
        var back = new ReturnUnits(_hasher);
        back.Reset(Encoding.UTF8.GetBytes(checkout + ":hold"), "dispute"u8, "planted"u8);
        back.AddLine("sku"u8, 1);
        Send(back, static _ => { });
    }

    // --- shoppers -----------------------------------------------------------------------------------------------------

    private void Advance(SimulatedShopper shopper)
    {
        if (!shopper.Begun)
        {
            int life = _life;
            Send(
                new BeginCheckout(_hasher, shopper.Id, shopper.Id, [new("sku", shopper.Quantity)], Price, "EUR", shopper.Channel, shopper.Channel == Called, shopper.TtlMs),
                answer =>
                {
                    shopper.Begun |= life == _life && answer.Code == Code.Ok;
                    Note(shopper, answer);
                });
            return;
        }

        SimulatedPsp psp = _psps[shopper.Channel];
        if (shopper.PaysTimes > 0 && _random.Next(3) == 0)
        {
            if (shopper.SettlesLate && shopper.Channel == Called)
            {
                shopper.PaysTimes = 0;
                psp.Settling.Add(shopper.Id);
            }
            else if (!psp.IsClosed(shopper.Id))
            {
                shopper.PaysTimes--;
                psp.Pay(shopper.Id, shopper.PaysAnotherAmount ? Price - 1 : Price);
            }

            return;
        }

        if (shopper.Cancels && _random.Next(4) == 0)
        {
            shopper.Cancels = false;
            Send(new CancelCheckout(_hasher, shopper.Id), answer => Note(shopper, answer));
        }
        else if (shopper.Disputes && psp.Dispute(shopper.Id))
        {
            shopper.Disputes = false;
        }
        else if (shopper.RefundsLater)
        {
            Send(new RefundCheckout(_hasher, shopper.Id, "r1", null, _random.Next(0, 2) * 400, null, "came back"), answer =>
            {
                shopper.RefundsLater &= answer.Code != Code.Ok;
                Note(shopper, answer);
            });
        }
        else
        {
            Send(new GetCheckout(_hasher, shopper.Id), answer => Note(shopper, answer));
        }
    }

    /// <summary>What was told as paid stays paid.</summary>
    private void Note(SimulatedShopper shopper, in Answer answer)
    {
        if (answer is { Code: Code.Ok, Detail: CheckoutView view })
        {
            shopper.ToldPaid |= view.State == CheckoutState.Paid;
            if (shopper.ToldPaid && view.State != CheckoutState.Paid)
            {
                _problem ??= $"{shopper.Id} was told that it is paid, and later that it is {view.State.Text()}";
            }
        }
    }

    private void Send(Command command, Action<Answer> answered)
    {
        if (command.Problem is { } wrong)
        {
            _problem ??= "the simulator sends what is not valid: " + wrong;
        }

        _queue.TryPush(new SimulatedCommand(command, answered));
    }

    // --- the end ------------------------------------------------------------------------------------------------------

    /// <summary>Nothing is lost any more, and operators do their work: everything must end, and all money be somewhere.</summary>
    private void Heal()
    {
        _healed = true;
        for (int round = 0; round < 600 && _problem is null; round++)
        {
            Settle();
            for (int messages = _network.Count; messages > 0; messages--)
            {
                Action message = _network[0];
                _network.RemoveAt(0);
                message();
            }

            foreach (SimulatedPsp psp in _psps.Values)
            {
                foreach (PaymentNotice notice in psp.Unacknowledged.ToArray())
                {
                    Deliver(psp, notice);
                }
            }

            foreach (string order in _psps[Called].Settling.ToArray())
            {
                SettleNow(order, atClose: false);
            }

            Settle();
            _time.Move(TimeSpan.FromMilliseconds(400));
            if (round % 5 == 4)
            {
                Operate();
            }

            if (round > 60 && IsOver())
            {
                return;
            }
        }

        CheckoutView? open = _shoppers.Select(s => View(s.Id)).FirstOrDefault(v => v is not null && (v.EndedAtMs == 0 || v.IsStuck));
        _problem ??= open is null
            ? $"underway for ever: {_network.Count} messages, {_loaded.Machine.OpenCheckouts} open, {_loaded.Machine.StuckCheckouts} stuck, {_psps.Values.Sum(p => p.Unacknowledged.Count)} callbacks, {_psps[Called].Settling.Count} payments; {string.Join(' ', List(CheckoutState.Suspense).Where(v => v.EndedAtMs == 0).Select(v => v + string.Join(' ', v.Refunds)))}" : $"{open} never ends: {string.Join(' ', open.Payments)} {string.Join(' ', open.Refunds)} {string.Join(' ', open.Calls)}";
    }

    private void Settle()
    {
        _loop.Turn(mayWait: false);
        while (_journal.Pending > 0)
        {
            _journal.Settle(AppendFate.Written);
        }
    }

    private bool IsOver() => _network.Count == 0 && _loaded.Machine is { OpenCheckouts: 0, StuckCheckouts: 0 }
        && _psps.Values.All(p => p.Unacknowledged.Count == 0 && p.Settling.Count == 0)
        && _shoppers.Select(s => View(s.Id)).All(v => v is null || v.Refunds.All(r => r.State != RefundState.Pending));

    private void Operate()
    {
        foreach (CheckoutView view in _shoppers.Select(s => View(s.Id)).OfType<CheckoutView>().Concat(List(CheckoutState.Suspense)).ToArray())
        {
            if (view.State == CheckoutState.Suspense && view.Payments[0].Use == PaymentUse.Suspense)
            {
                Send(new ResolveCheckout(_hasher, view.Channel, view.Payments[0].Transaction, "nobody's"), static _ => { });
            }
            else if (view.State == CheckoutState.Conflicted)
            {
                _conflicted++;
                bool accept = view.Id[^1] % 2 == 0;
                Send(new ResolveCheckout(_hasher, view.Id, accept, "called the shopper"), answer =>
                {
                    if (answer.Code != Code.Ok && accept)
                    {
                        Send(new ResolveCheckout(_hasher, view.Id, accept: false, "its units are gone"), static _ => { });
                    }
                });
            }
            else if (view.Channel == Heard)
            {
                RefundByHand(view);
            }
            else if (view.IsStuck)
            {
                Send(new RetryCheckout(_hasher, view.Id), static _ => { });
            }
        }
    }

    /// <summary>Somebody refunds at the provider whatever waits there; its callback settles it.</summary>
    private void RefundByHand(CheckoutView view)
    {
        foreach (RefundView refund in view.Refunds.Where(r => r.State == RefundState.Pending && _psps[Heard].Payments.ContainsKey(r.Transaction)))
        {
            if (_byHand.Add(view.Id + refund.Id))
            {
                _psps[Heard].Refund("by-hand-" + _byHand.Count.ToString(CultureInfo.InvariantCulture), refund.Transaction, refund.Amount);
            }
        }
    }

    private IReadOnlyList<CheckoutView> List(CheckoutState state) =>
        ((CheckoutPage)_loaded.Machine.Read(new ListCheckouts(_hasher, state, false, null, 1_000))!.Value.Detail!).Checkouts;

    private CheckoutView? View(string id) => _loaded.Machine.Read(new GetCheckout(_hasher, id))!.Value.Detail as CheckoutView;

    private HoldState? HoldState(string id)
    {
        var get = new GetHold(_hasher);
        get.Reset(Encoding.UTF8.GetBytes(id));
        Answer answer = _loaded.Machine.Read(get)!.Value;
        return answer.Code == Code.Ok ? answer.State : null;
    }

    private long Consumed()
    {
        var get = new GetResource(_hasher);
        get.Reset("sku"u8);
        return ((ResourceView)_loaded.Machine.Read(get)!.Value.Detail!).Consumed;
    }

    private void Stock()
    {
        var put = new PutResource(_hasher);
        put.Reset("sku"u8, ResourcePolicy.Default);
        var adjust = new AdjustSupply(_hasher);
        adjust.ResetDelta("sku"u8, "supply"u8, _options.Supply, "opening"u8);
        Send(put, static _ => { });
        Send(adjust, static _ => { });
        Settle();
    }
}

/// <summary>A shopper's plan, and what the shopper was told.</summary>
internal sealed class SimulatedShopper(string id, string channel, long quantity, long ttlMs)
{
    public string Id { get; } = id;

    public string Channel { get; } = channel;

    public long Quantity { get; } = quantity;

    public long TtlMs { get; } = ttlMs;

    public int PaysTimes { get; set; }

    public bool PaysAnotherAmount { get; init; }

    public bool SettlesLate { get; init; }

    public bool Cancels { get; set; }

    public bool RefundsLater { get; set; }

    public bool Disputes { get; set; }

    public bool Begun { get; set; }

    public bool ToldPaid { get; set; }
}
