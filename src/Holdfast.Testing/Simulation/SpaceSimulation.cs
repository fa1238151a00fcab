using System.Text;
using Holdfast.Engine;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Holdfast.Testing;

/// <summary>
/// A whole space from one seed, on one thread, in virtual time: the product's own loop, pipeline, loader and machine;
/// shoppers that repeat their calls; a journal whose appends take their time and fail in every way; crashes between any
/// two steps; a clock that jumps. The oracle holds every answer against the state that the journal gives in the end.
/// </summary>
public sealed class SpaceSimulation
{
    private readonly SimulationOptions _options;
    private readonly Random _random;
    private readonly VirtualTime _time = new(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000));
    private readonly NameHasher _hasher;
    private readonly SpaceOptions _spaceOptions = new() { Holds = new HoldOptions { MaxExpiriesPerBatch = 5 }, MaxBatchCommands = 16 };
    private readonly List<Shopper> _shoppers = [];
    private readonly Dictionary<long, ulong> _digests = [];
    private readonly int _seed;

    private MemoryJournalStore _store = new();
    private FaultyJournal _journal = null!;
    private JournalPipeline _pipeline = null!;
    private RequestQueue _queue = null!;
    private SpaceLoop _loop = null!;
    private LoadedSpace _loaded = null!;
    private string? _problem;
    private int _answers;
    private int _crashes;
    private int _failedAppends;

    private SpaceSimulation(int seed, SimulationOptions options)
    {
        _seed = seed;
        _options = options;
        _random = new Random(seed);
        _hasher = new NameHasher((ulong)seed, 42);
        for (int i = 0; i < options.Shoppers; i++)
        {
            _shoppers.Add(new Shopper(i, _random, options, _hasher));
        }
    }

    /// <summary>Runs one seed to its end.</summary>
    public static SimulationReport Run(int seed, SimulationOptions? options = null) => new SpaceSimulation(seed, options ?? new SimulationOptions()).Run();

    private SimulationReport Run()
    {
        Start();
        Stock();
        for (int step = 0; step < _options.Steps && _problem is null; step++)
        {
            Step();
        }

        if (_problem is null)
        {
            Crash();
            FinalChecks();
        }

        return new SimulationReport(_seed, _problem, _answers, _crashes, _failedAppends, _loaded.Machine.Digest);
    }

    private void Step()
    {
        switch (_random.Next(100))
        {
            case < 45:
                Send(_shoppers[_random.Next(_shoppers.Count)]);
                break;
            case < 70:
                _loop.Turn(mayWait: false);
                break;
            case < 90:
                MoveJournal(RandomFate());
                break;
            case < 97:
                _time.Move(TimeSpan.FromMilliseconds(_random.Next(10) == 0 ? -_random.Next(5_000) : _random.Next(150)));
                break;
            case < 98:
                _time.Move(TimeSpan.FromMinutes(2));
                break;
            default:
                Crash();
                break;
        }

        if (_pipeline.Failure is not null && _options.Fault != PlantedFault.KeepMemoryAfterFailure)
        {
            // What Space does: wait until all underway have failed, drop memory, read the journal again.
            Settle(AppendFate.UnknownLost);
            Start();
        }
    }

    private AppendFate RandomFate()
    {
        if (_options.Fault == PlantedFault.AnswerBeforeDurable && _random.Next(4) == 0)
        {
            return AppendFate.Lied;
        }

        return _random.Next(40) switch
        {
            0 => AppendFate.NotWritten,
            1 => AppendFate.Full,
            2 => AppendFate.UnknownWritten,
            3 => AppendFate.UnknownLost,
            _ => AppendFate.Written,
        };
    }

    private void Send(Shopper shopper)
    {
        if (shopper.Waiting is not null && _random.Next(4) != 0)
        {
            return; // now and then it loses patience, and sends again while the first is underway
        }

        SimulatedRequest request = shopper.NextCall(r => Answered(shopper, r));
        request.Purchase.Sent.Add(request.Step);
        shopper.Waiting = request;
        if (!_queue.TryPush(request))
        {
            shopper.Waiting = null;
        }
    }

    private void MoveJournal(AppendFate fate)
    {
        if (_journal.Pending > 0)
        {
            _failedAppends += fate is AppendFate.Written or AppendFate.Lied ? 0 : 1;
            _journal.Settle(fate);
        }

        if (_options.Fault == PlantedFault.KeepMemoryAfterFailure && _pipeline.Failure is not null)
        {
            // The fault: writing goes on behind what was lost, with the memory that it left.
            JournalTail tail = _journal.OpenAsync(default).AsTask().Result;
            _loaded = new LoadedSpace(_loaded.Machine, tail, 0);
            Serve();
        }
    }

    /// <summary>Ends whatever is in flight.</summary>
    private void Settle(AppendFate fate)
    {
        do
        {
            MoveJournal(fate);
        }
        while (_journal.Pending > 0);
        _pipeline.FinishHere();
    }

    /// <summary>The process dies: queue, memory and unwritten batches are gone; an append in flight may have made it.</summary>
    private void Crash()
    {
        _crashes++;
        while (_journal.Pending > 0 && _random.Next(2) == 0)
        {
            _journal.Settle(AppendFate.Written);
        }

        foreach (Shopper shopper in _shoppers)
        {
            shopper.Waiting = null;
        }

        if (_options.Fault == PlantedFault.LoseLastBatch)
        {
            _store = LostFrame.DropLast(_journal, 2 * _options.Resources);
        }

        Start();
    }

    private void Start()
    {
        _journal = new FaultyJournal(_store.Get("default"), rule: null, maxInFlight: _random.Next(1, 4));
        var loader = new SpaceLoader("default", _journal, _spaceOptions, _hasher, _time, NullLogger.Instance);
        try
        {
            _loaded = loader.LoadAsync(default).GetAwaiter().GetResult();
        }
        catch (JournalCorruptException e)
        {
            _problem ??= e.Message;
            return;
        }

        if (_digests.TryGetValue(_loaded.Tail.Sequence, out ulong digest) && digest != _loaded.Machine.Digest)
        {
            _problem ??= $"replaying up to {_loaded.Tail.Sequence} gives another state than the live machine had";
        }

        CheckConservation();
        foreach (Shopper shopper in _shoppers)
        {
            shopper.Waiting = null;
        }

        Serve();
    }

    /// <summary>Half of the seeds: answers are told on the loop's thread, as where connections share it.</summary>
    private bool TellsByLoop => _seed % 2 != 0;

    private void Serve()
    {
        _queue = new RequestQueue(64);
        var teller = new Teller(_queue, _time);
        _pipeline = new JournalPipeline(_journal, _loaded.Tail, teller, b => _digests[b.Sequence] = b.Digest, static () => { }, byLoop: TellsByLoop);
        _loop = new SpaceLoop(_loaded, _pipeline, _queue, teller, _spaceOptions, _time, new SpaceMetrics());
    }

    private void Stock()
    {
        for (int i = 0; i < _options.Resources; i++)
        {
            var put = new PutResource(_hasher);
            put.Reset(Utf8($"sku-{i}"), new ResourcePolicy { LimitPerOwner = _options.LimitPerOwner });
            var adjust = new AdjustSupply(_hasher);
            adjust.ResetDelta(Utf8($"sku-{i}"), "supply"u8, _options.Supply, "opening"u8);
            Ask(put);
            Ask(adjust);
        }
    }

    /// <summary>Sends a command of the scenario itself and carries it through.</summary>
    private void Ask(Command command)
    {
        var none = new Purchase { Id = "", Owner = "", Lines = [], TtlMs = 0, Plan = PurchasePlan.WalkAway };
        _queue.TryPush(new SimulatedRequest(command, none, PurchaseStep.Ask, static _ => { }));
        _loop.Turn(mayWait: false);
        Settle(AppendFate.Written);
        Settle(AppendFate.Written);
    }

    private void Answered(Shopper shopper, SimulatedRequest request)
    {
        if (!ReferenceEquals(shopper.Waiting, request) && request.Answer.Code is Code.Unavailable or Code.Overloaded)
        {
            return;
        }

        if (ReferenceEquals(shopper.Waiting, request))
        {
            shopper.Waiting = null;
        }

        if (request.Answer.Code is Code.Unavailable or Code.Overloaded)
        {
            return;
        }

        _answers++;
        _problem ??= PurchaseBook.Told(request, ReferenceEquals(shopper.Current, request.Purchase));
    }

    private void FinalChecks()
    {
        CheckConservation();
        foreach (Purchase purchase in _shoppers.SelectMany(s => s.Book))
        {
            var get = new GetHold(_hasher) { WantsView = true };
            get.Reset(Utf8(purchase.Id));
            Answer answer = _loaded.Machine.Read(get)!.Value;
            _problem ??= PurchaseBook.Check(purchase, answer.Detail as HoldView, _loaded.Machine.LastTimeMs);
        }

        _problem ??= PurchaseBook.CheckTotals([.. _shoppers.SelectMany(s => s.Book)], _options, Read);
    }

    private ResourceView Read(int resource)
    {
        var get = new GetResource(_hasher);
        get.Reset(Utf8($"sku-{resource}"));
        return (ResourceView)_loaded.Machine.Read(get)!.Value.Detail!;
    }

    private void CheckConservation() => _problem ??= _loaded.Machine.FindImbalance();

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
