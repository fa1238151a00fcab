using System.Text;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Projection;

/// <summary>
/// A random but repeatable life of a space: every kind of event, ids used again after they were forgotten, holds of
/// several lines, partial confirms with and without remainder. Appends frames to a journal as the loop would.
/// </summary>
internal sealed class History
{
    private const int Resources = 5;
    private const int Owners = 6;
    private readonly Random _random;
    private readonly IJournal _journal;
    private readonly EventBuffer _events = new(Frame.HeaderSize);
    private readonly List<string> _ids = [];
    private readonly byte[] _previousHash;
    private long _now = 1_750_000_000_000;
    private int _names;

    public History(int seed, IJournal journal, JournalTail tail)
    {
        _random = new Random(seed);
        _journal = journal;
        _previousHash = tail.Hash.ToArray();
        Sequence = tail.Sequence;
    }

    public static NameHasher Hasher { get; } = new(3, 5);

    /// <summary>A retention short enough for ids to be forgotten within a test's history.</summary>
    public static HoldOptions Options { get; } = new() { DefaultTtlMs = 20_000, RetentionMs = 30_000, AdjustmentRetentionMs = 30_000 };

    public SpaceMachine Machine { get; } = new(Options, Hasher);

    public long Sequence { get; private set; }

    public long Events { get; private set; }

    public static async Task<History> BeginAsync(int seed, IJournal journal) =>
        new(seed, journal, await journal.OpenAsync(TestContext.Current.CancellationToken));

    /// <summary>Lives through some batches of some commands each.</summary>
    public async Task<History> LiveAsync(int batches, int commands = 12)
    {
        for (int i = 0; i < batches; i++)
        {
            _now += _random.Next(3_000);
            _events.Clear();
            Machine.Tidy(_now, _events);
            for (int c = 0; c < commands; c++)
            {
                Machine.Decide(Any(), _now, _events);
            }

            await AppendAsync();
        }

        return this;
    }

    /// <summary>One batch of commands that the test names.</summary>
    public async Task<History> DoAsync(params Command[] commands)
    {
        _now++;
        _events.Clear();
        foreach (Command command in commands)
        {
            Machine.Decide(command, _now, _events).Code.ShouldBe(Code.Ok);
        }

        await AppendAsync();
        return this;
    }

    public static PutResource Put(string id, ResourcePolicy? policy = null)
    {
        var put = new PutResource(Hasher);
        put.Reset(Bytes(id), policy ?? ResourcePolicy.Default);
        return put;
    }

    public static AdjustSupply Adjust(string resource, string id, long delta, bool force = false)
    {
        var adjust = new AdjustSupply(Hasher);
        adjust.ResetDelta(Bytes(resource), Bytes(id), delta, "because"u8, force);
        return adjust;
    }

    public static TryHold Try(string id, string? owner, params (string Resource, long Quantity)[] lines)
    {
        var hold = new TryHold(Hasher);
        hold.Reset(Bytes(id), owner is null ? [] : Bytes(owner));
        foreach ((string resource, long quantity) in lines)
        {
            hold.AddLine(Bytes(resource), quantity);
        }

        return hold;
    }

    public static ConfirmHold Confirm(string id)
    {
        var confirm = new ConfirmHold(Hasher);
        confirm.Reset(Bytes(id));
        return confirm;
    }

    public static CancelHold Cancel(string id)
    {
        var cancel = new CancelHold(Hasher);
        cancel.Reset(Bytes(id));
        return cancel;
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string ResourceOf(int number) => $"sku-{number}-é";

    private async Task AppendAsync()
    {
        Memory<byte> frame = _events.Whole(Frame.FooterSize);
        Frame.Seal(frame.Span, ++Sequence, _now, _events.Count, _previousHash);
        frame.Span[^Frame.FooterSize..].CopyTo(_previousHash);
        await _journal.AppendAsync(Sequence, frame, TestContext.Current.CancellationToken);
        Machine.Evolve([], 0, _now);
        Events += _events.Count;
    }

    private Command Any() => _random.Next(12) switch
    {
        0 => Put(ResourceOf(_random.Next(Resources)), AnyPolicy()),
        1 => Adjust(ResourceOf(_random.Next(Resources)), $"a{_names++}", _random.Next(-20, 60), _random.Next(3) == 0),
        < 7 => AnyTry(),
        7 or 8 => AnyConfirm(),
        9 => Cancel(AnyId()),
        10 => AnyExtend(),
        _ => AnyReturn(),
    };

    private ResourcePolicy AnyPolicy() => new()
    {
        LimitPerOwner = _random.Next(3) == 0 ? 40 : null,
        Overdraft = _random.Next(3) == 0 ? 15 : 0,
        SafetyStock = _random.Next(4) == 0 ? 2 : 0,
        HoldMs = _random.Next(3) == 0 ? 5_000 : null,
        ClosesAtMs = _random.Next(5) == 0 ? _now + 500_000 : null,
    };

    private TryHold AnyTry()
    {
        // Few names, so that cancelled and forgotten ones come back as new holds.
        string id = _random.Next(4) == 0 ? AnyId() : $"h{_random.Next(400)}";
        _ids.Add(id);
        int lines = _random.Next(1, 4);
        return Try(
            id,
            _random.Next(4) == 0 ? null : $"owner-{_random.Next(Owners)}",
            [.. Enumerable.Range(0, lines).Select(_ => (ResourceOf(_random.Next(Resources)), (long)_random.Next(1, 6)))]);
    }

    private ConfirmHold AnyConfirm()
    {
        var confirm = new ConfirmHold(Hasher);
        bool keep = _random.Next(3) == 0;
        confirm.Reset(Bytes(AnyId()), keep);
        if (keep || _random.Next(3) == 0)
        {
            confirm.AddLine(Bytes(ResourceOf(_random.Next(Resources))), _random.Next(1, 4));
        }

        return confirm;
    }

    private ExtendHold AnyExtend()
    {
        var extend = new ExtendHold(Hasher);
        extend.Reset(Bytes(AnyId()), _random.Next(1, 40_000));
        return extend;
    }

    private ReturnUnits AnyReturn()
    {
        var units = new ReturnUnits(Hasher);
        units.Reset(Bytes(AnyId()), Bytes($"r{_names++}"), "changed my mind"u8);
        units.AddLine(Bytes(ResourceOf(_random.Next(Resources))), 1);
        return units;
    }

    private string AnyId() => _ids.Count == 0 || _random.Next(10) == 0 ? $"never-{_random.Next(50)}" : _ids[^_random.Next(1, Math.Min(_ids.Count, 60) + 1)];
}
