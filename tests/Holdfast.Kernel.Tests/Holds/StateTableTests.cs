namespace Holdfast.Kernel.Tests.Holds;

/// <summary>The table of the design's section 4, cell by cell: state of the id x command.</summary>
public class StateTableTests : Scenario
{
    public enum Id
    {
        Unknown,
        Held,
        Confirmed,
        Cancelled,
        Tombstone,
        Expired,
    }

    public static TheoryData<Id, string, Code, HoldState, bool> Cells => new()
    {
        // try, same body
        { Id.Unknown, "try", Code.Ok, HoldState.Held, true },
        { Id.Held, "try", Code.Ok, HoldState.Held, false },
        { Id.Confirmed, "try", Code.Confirmed, HoldState.Confirmed, false },
        { Id.Cancelled, "try", Code.Cancelled, HoldState.Cancelled, false },
        { Id.Tombstone, "try", Code.Cancelled, HoldState.Cancelled, false },
        { Id.Expired, "try", Code.Expired, HoldState.Expired, false },

        // try, other body
        { Id.Held, "try other", Code.Conflict, HoldState.Held, false },
        { Id.Confirmed, "try other", Code.Conflict, HoldState.Confirmed, false },
        { Id.Cancelled, "try other", Code.Cancelled, HoldState.Cancelled, false },
        { Id.Tombstone, "try other", Code.Cancelled, HoldState.Cancelled, false },
        { Id.Expired, "try other", Code.Conflict, HoldState.Expired, false },

        // confirm
        { Id.Unknown, "confirm", Code.NotFound, HoldState.None, false },
        { Id.Held, "confirm", Code.Ok, HoldState.Confirmed, true },
        { Id.Confirmed, "confirm", Code.Ok, HoldState.Confirmed, false },
        { Id.Confirmed, "confirm other", Code.Conflict, HoldState.Confirmed, false },
        { Id.Cancelled, "confirm", Code.Cancelled, HoldState.Cancelled, false },
        { Id.Tombstone, "confirm", Code.Cancelled, HoldState.Cancelled, false },
        { Id.Expired, "confirm", Code.Expired, HoldState.Expired, false },

        // cancel
        { Id.Unknown, "cancel", Code.Ok, HoldState.Cancelled, true },
        { Id.Held, "cancel", Code.Ok, HoldState.Cancelled, true },
        { Id.Confirmed, "cancel", Code.Confirmed, HoldState.Confirmed, false },
        { Id.Cancelled, "cancel", Code.Ok, HoldState.Cancelled, false },
        { Id.Tombstone, "cancel", Code.Ok, HoldState.Cancelled, false },
        { Id.Expired, "cancel", Code.Ok, HoldState.Expired, false },

        // extend
        { Id.Unknown, "extend", Code.NotFound, HoldState.None, false },
        { Id.Held, "extend", Code.Ok, HoldState.Held, true },
        { Id.Confirmed, "extend", Code.Confirmed, HoldState.Confirmed, false },
        { Id.Cancelled, "extend", Code.Cancelled, HoldState.Cancelled, false },
        { Id.Tombstone, "extend", Code.Cancelled, HoldState.Cancelled, false },
        { Id.Expired, "extend", Code.Expired, HoldState.Expired, false },

        // deadline passes
        { Id.Unknown, "wait", Code.Ok, HoldState.None, false },
        { Id.Held, "wait", Code.Ok, HoldState.Expired, true },
        { Id.Confirmed, "wait", Code.Ok, HoldState.Confirmed, false },
        { Id.Cancelled, "wait", Code.Ok, HoldState.Cancelled, false },
        { Id.Tombstone, "wait", Code.Ok, HoldState.Cancelled, false },
        { Id.Expired, "wait", Code.Ok, HoldState.Expired, false },

        // get, which the table leaves out because it moves nothing
        { Id.Unknown, "get", Code.NotFound, HoldState.None, false },
        { Id.Held, "get", Code.Ok, HoldState.Held, false },
        { Id.Confirmed, "get", Code.Ok, HoldState.Confirmed, false },
        { Id.Cancelled, "get", Code.Ok, HoldState.Cancelled, false },
        { Id.Tombstone, "get", Code.Ok, HoldState.Cancelled, false },
        { Id.Expired, "get", Code.Ok, HoldState.Expired, false },
    };

    [Theory]
    [MemberData(nameof(Cells))]
    public void State_x_command(Id id, string command, Code expected, HoldState after, bool writes)
    {
        Bring(id);
        string before = StateText.Of(Space.Machine);

        Answer answer = Do(command);

        answer.Code.ShouldBe(expected);
        if (expected == Code.Ok && command != "wait")
        {
            answer.State.ShouldBe(after);
            answer.Repeat.ShouldBe(!writes && command != "get");
        }

        (Space.LastEvents.Length > 0).ShouldBe(writes, "events");
        (StateText.Of(Space.Machine) != before).ShouldBe(writes, "state");
        StateOf("h").ShouldBe(after);
        Space.Buckets("sku").ShouldBe(after switch
        {
            HoldState.Held => (7, 3, 0),
            HoldState.Confirmed => (7, 0, 3),
            _ => (10, 0, 0),
        });
    }

    [Theory]
    [InlineData(Id.Unknown)]
    [InlineData(Id.Held)]
    [InlineData(Id.Confirmed)]
    [InlineData(Id.Cancelled)]
    [InlineData(Id.Tombstone)]
    [InlineData(Id.Expired)]
    public void Return_of_whatever_was_not_consumed_is_refused_in_every_state(Id id)
    {
        Bring(id);

        Answer answer = Space.Return("h", "r", ("sku", 4));

        answer.Code.ShouldBe(id == Id.Unknown ? Code.NotFound : Code.ExceedsHold);
        Space.LastEvents.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("try", Code.Expired)]
    [InlineData("try other", Code.Conflict)]
    [InlineData("confirm", Code.Expired)]
    [InlineData("cancel", Code.Ok)]
    [InlineData("extend", Code.Expired)]
    [InlineData("get", Code.Ok)]
    public void Touching_a_hold_at_its_deadline_expires_it_before_the_sweep_does(string command, Code expected)
    {
        Bring(Id.Held);
        Space.Now += 60_000;

        Answer answer = Do(command);

        answer.Code.ShouldBe(expected);
        answer.MustBeDurable.ShouldBeTrue("it tells of an expiry");
        StateOf("h").ShouldBe(HoldState.Expired);
        Space.Buckets("sku").ShouldBe((10, 0, 0));
    }

    [Theory]
    [InlineData("try", Code.Ok)]
    [InlineData("confirm", Code.Ok)]
    [InlineData("extend", Code.Ok)]
    public void A_millisecond_before_its_deadline_a_hold_still_stands(string command, Code expected)
    {
        Bring(Id.Held);
        Space.Pass(59_999);

        Do(command).Code.ShouldBe(expected);
    }

    private HoldState StateOf(string id) =>
        Space.Machine.ListHolds().FirstOrDefault(h => h.Id == id)?.State ?? HoldState.None;

    private void Bring(Id id)
    {
        Space.Stock("sku", 10);
        if (id is not (Id.Unknown or Id.Tombstone))
        {
            Space.TryWith("h", "ann", 60_000, 0, ("sku", 3)).Code.ShouldBe(Code.Ok);
        }

        switch (id)
        {
            case Id.Confirmed:
                Space.Confirm("h");
                break;
            case Id.Cancelled or Id.Tombstone:
                Space.Cancel("h");
                break;
            case Id.Expired:
                Space.Pass(60_064);
                break;
        }
    }

    private Answer Do(string command)
    {
        switch (command)
        {
            case "try":
                return Space.TryWith("h", "ann", 60_000, 0, ("sku", 3));
            case "try other":
                return Space.TryWith("h", "ann", 60_000, 0, ("sku", 2));
            case "confirm":
                return Space.Confirm("h");
            case "confirm other":
                return Space.Confirm("h", ("sku", 2));
            case "cancel":
                return Space.Cancel("h");
            case "extend":
                return Space.Extend("h", 90_000);
            case "get":
                return Space.Get("h");
            case "wait":
                Space.Now += 60_064;
                Space.Tidy();
                return default;
            default:
                throw new ArgumentOutOfRangeException(nameof(command));
        }
    }
}
