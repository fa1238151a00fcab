namespace Holdfast.Kernel.Tests;

/// <summary>
/// One machine with a clock in hand. Every command is its own batch, whose bytes are kept as a journal would keep them,
/// so that a test can end by replaying its own history.
/// </summary>
internal sealed class Space
{
    public const long Start = 1_800_000_000_000;

    private readonly EventBuffer _output = new(0, 1024);

    public Space(HoldOptions? options = null, SpaceMachine? machine = null)
    {
        Machine = machine ?? new SpaceMachine(options ?? new HoldOptions(), Hasher);
    }

    public static NameHasher Hasher { get; } = new(0x0123456789ABCDEF, 0xFEDCBA9876543210);

    public SpaceMachine Machine { get; }

    public long Now { get; set; } = Start;

    public List<Batch> Batches { get; } = [];

    /// <summary>Bytes of the last command's or tidy's events; empty when it wrote none.</summary>
    public byte[] LastEvents { get; private set; } = [];

    public Answer Put(string id, ResourcePolicy? policy = null)
    {
        var command = new PutResource(Hasher);
        command.Reset(Utf8(id), policy ?? ResourcePolicy.Default);
        return Decide(command);
    }

    /// <summary>A resource with a supply.</summary>
    public void Stock(string id, long quantity, ResourcePolicy? policy = null)
    {
        Put(id, policy).Code.ShouldBe(Code.Ok);
        if (quantity > 0)
        {
            Adjust(id, "opening", quantity).Code.ShouldBe(Code.Ok);
        }
    }

    public Answer Adjust(string id, string adjustment, long delta, bool force = false, string reason = "count")
    {
        var command = new AdjustSupply(Hasher);
        command.ResetDelta(Utf8(id), Utf8(adjustment), delta, Utf8(reason), force);
        return Decide(command);
    }

    public Answer Set(string id, string adjustment, long available, long expectedVersion)
    {
        var command = new AdjustSupply(Hasher);
        command.ResetSet(Utf8(id), Utf8(adjustment), available, expectedVersion, Utf8("count"));
        return Decide(command);
    }

    public Answer Try(string id, params (string Resource, long Quantity)[] lines) => TryAs(id, null, lines);

    public Answer TryAs(string id, string? owner, params (string Resource, long Quantity)[] lines) =>
        TryWith(id, owner, 0, 0, lines);

    public Answer TryWith(string id, string? owner, long ttlMs, long issuedAtMs, params (string Resource, long Quantity)[] lines)
    {
        var command = new TryHold(Hasher) { WantsView = true };
        command.Reset(Utf8(id), Utf8(owner ?? ""), ttlMs, issuedAtMs);
        return Decide(WithLines(command, lines));
    }

    public Answer Confirm(string id, params (string Resource, long Quantity)[] lines) => ConfirmWith(id, false, lines);

    public Answer ConfirmKeeping(string id, params (string Resource, long Quantity)[] lines) => ConfirmWith(id, true, lines);

    public Answer ConfirmWith(string id, bool keepRemainder, params (string Resource, long Quantity)[] lines)
    {
        var command = new ConfirmHold(Hasher) { WantsView = true };
        command.Reset(Utf8(id), keepRemainder);
        return Decide(WithLines(command, lines));
    }

    public Answer Cancel(string id)
    {
        var command = new CancelHold(Hasher) { WantsView = true };
        command.Reset(Utf8(id));
        return Decide(command);
    }

    public Answer Extend(string id, long ttlMs)
    {
        var command = new ExtendHold(Hasher) { WantsView = true };
        command.Reset(Utf8(id), ttlMs);
        return Decide(command);
    }

    public Answer Return(string id, string returnId, params (string Resource, long Quantity)[] lines)
    {
        var command = new ReturnUnits(Hasher) { WantsView = true };
        command.Reset(Utf8(id), Utf8(returnId), Utf8("came back"));
        return Decide(WithLines(command, lines));
    }

    public Answer Get(string id)
    {
        var command = new GetHold(Hasher) { WantsView = true };
        command.Reset(Utf8(id));
        return Decide(command);
    }

    public Answer GetResource(string id)
    {
        var command = new GetResource(Hasher);
        command.Reset(Utf8(id));
        return Decide(command);
    }

    /// <summary>The hold as it stands, without settling its deadline.</summary>
    public HoldView Peek(string id)
    {
        var command = new GetHold(Hasher) { WantsView = true };
        command.Reset(Utf8(id));
        return Machine.Read(command)!.Value.Detail.ShouldBeOfType<HoldView>();
    }

    /// <summary>The resource as it stands.</summary>
    public ResourceView Resource(string id)
    {
        var command = new GetResource(Hasher);
        command.Reset(Utf8(id));
        return Machine.Read(command)!.Value.Detail.ShouldBeOfType<ResourceView>();
    }

    public (long Available, long Held, long Consumed) Buckets(string id)
    {
        ResourceView view = Resource(id);
        return (view.Available, view.Held, view.Consumed);
    }

    public bool Tidy()
    {
        bool more = Machine.Tidy(Now, _output);
        Record();
        return more;
    }

    /// <summary>Lets time pass and does everything that is due then.</summary>
    public void Pass(long ms)
    {
        Now += ms;
        while (Tidy())
        {
        }
    }

    public Answer Decide(Command command)
    {
        Answer answer = Machine.Decide(command, Now, _output);
        Record();
        return answer;
    }

    public static byte[] Utf8(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static T WithLines<T>(T command, (string Resource, long Quantity)[] lines)
        where T : LinedCommand
    {
        foreach ((string resource, long quantity) in lines)
        {
            command.AddLine(Utf8(resource), quantity);
        }

        return command;
    }

    private void Record()
    {
        LastEvents = _output.Payload.ToArray();
        if (_output.Count > 0)
        {
            Batches.Add(new Batch(LastEvents, _output.Count, Now));
        }

        _output.Clear();
    }
}

/// <summary>What a journal keeps of a batch.</summary>
internal sealed record Batch(byte[] Payload, int Count, long TimeMs);
