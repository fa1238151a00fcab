namespace Holdfast.Kernel.Tests;

/// <summary>
/// The end of every test of the machine: the books balance; the bytes that were written make the same state on a fresh
/// machine; a snapshot of it does too; and all three decide alike from there on.
/// </summary>
public abstract class Scenario : IDisposable
{
    private readonly Lazy<Space> _space;

    protected Scenario()
        : this(new HoldOptions())
    {
    }

    private protected Scenario(HoldOptions options)
    {
        Options = options;
        _space = new Lazy<Space>(() => new Space(Options));
    }

    /// <summary>May be set before the space is first used.</summary>
    private protected HoldOptions Options { get; set; }

    private protected Space Space => _space.Value;

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (_space.IsValueCreated)
        {
            Ending.ShouldBeSound(Space);
        }
    }
}

/// <summary>The checks at the end of a history.</summary>
internal static class Ending
{
    public static void ShouldBeSound(Space space)
    {
        SpaceMachine machine = space.Machine;
        machine.FindImbalance().ShouldBeNull();

        SpaceMachine replayed = Replay(space.Batches, machine.Options);
        replayed.FindImbalance().ShouldBeNull();
        replayed.Digest.ShouldBe(machine.Digest, "a replay of the events has another digest");
        StateText.Of(replayed).ShouldBe(StateText.Of(machine), "a replay of the events");

        SpaceMachine restored = Restore(machine);
        restored.FindImbalance().ShouldBeNull();
        restored.Digest.ShouldBe(machine.Digest, "a snapshot has another digest");
        restored.LastTimeMs.ShouldBe(machine.LastTimeMs);
        StateText.Of(restored).ShouldBe(StateText.Of(machine), "a snapshot of the state");

        // The machines are not needed any more, so they may be asked everything.
        string asked = Probe(machine, space.Now);
        Probe(replayed, space.Now).ShouldBe(asked, "answers after a replay");
        Probe(restored, space.Now).ShouldBe(asked, "answers after a snapshot");
    }

    public static SpaceMachine Replay(IEnumerable<Batch> batches, HoldOptions options)
    {
        var machine = new SpaceMachine(options, Space.Hasher);
        foreach (Batch batch in batches)
        {
            machine.Evolve(batch.Payload, batch.Count, batch.TimeMs);
        }

        return machine;
    }

    /// <summary>Read back under another key of the hash: nothing in a snapshot may depend on it.</summary>
    public static SpaceMachine Restore(SpaceMachine machine, NameHasher? hasher = null)
    {
        var stream = new MemoryStream();
        machine.WriteSnapshot(stream);
        stream.Position = 0;
        SpaceMachine restored = SpaceMachine.ReadSnapshot(stream, machine.Options, hasher ?? Space.Hasher);
        stream.Position.ShouldBe(stream.Length, "the snapshot was not read to its end");
        return restored;
    }

    /// <summary>Asks for everything that the state could answer differently, and says what was answered and what became of it.</summary>
    private static string Probe(SpaceMachine machine, long now)
    {
        const int most = 40;
        var space = new Space(machine: machine) { Now = now };
        var said = new List<string>();
        KnownHold[] holds = [.. machine.ListHolds().OrderBy(h => h.Id, StringComparer.Ordinal).Take(most)];
        ResourceView[] resources = [.. machine.ListResources()];
        string?[] owners = [.. holds.Select(h => h.Owner).Distinct().Take(4)];
        foreach (KnownHold hold in holds)
        {
            (string, long)[] lines = [.. hold.Lines.Select(l => (resources[l.Resource].Id, l.Quantity))];
            said.Add(Text(space.TryWith(hold.Id, hold.Owner, 0, 0, lines)));
            said.Add(Text(space.ConfirmKeeping(hold.Id, [.. lines.Take(1)])));
            said.Add(Text(space.Return(hold.Id, "probe", [.. lines.Take(1).Select(l => (l.Item1, 1L))])));
            said.Add(Text(space.Extend(hold.Id, 77_777)));
        }

        foreach (ResourceView resource in resources.Take(most))
        {
            foreach (string? owner in owners)
            {
                said.Add(Text(space.TryAs("probe-" + owner + "-" + resource.Id, owner, (resource.Id, 1))));
            }

            said.Add(Text(space.Adjust(resource.Id, "opening", 5)));
        }

        foreach (KnownHold hold in holds)
        {
            said.Add(Text(space.Cancel(hold.Id)));
        }

        // The order in which one bucket's deadlines are found is not state: only the events make it so.
        space.Pass(machine.Options.MaxLifeMs + 1_000);
        space.Pass(machine.Options.RetentionMs + machine.Options.AdjustmentRetentionMs + 1_000);
        machine.KnownHolds.ShouldBe(0, "everything ends and is forgotten");
        machine.FindImbalance().ShouldBeNull();
        said.Add(StateText.Of(machine, withOrderOfForgetting: false));
        return string.Join('\n', said);
    }

    private static string Text(Answer a)
    {
        string detail = a.Detail is HoldView view ? string.Join(' ', view.Lines) : a.Detail is string s ? s : "";
        return FormattableString.Invariant($"{a.Code} {a.State} {a.Repeat} {a.ExpiresAtMs} {a.Asked} {a.Available} {detail}");
    }
}
