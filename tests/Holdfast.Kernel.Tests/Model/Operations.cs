namespace Holdfast.Kernel.Tests.Model;

/// <summary>A fault planted into the reference model, to see the comparison find it.</summary>
internal enum Flaw
{
    None,
    AdjustsTwice,
    IgnoresIssuedAt,
    MissesConflict,
    FirstLineWins,
    OffersSafetyStock,
    ConfirmsTwice,
    KeepsTheRest,
    CancelGivesConsumedBack,
    ExtendsForever,
    ReturnsTwice,
    DeadlineIsExclusive,
    ExpiryKeepsStock,
    ConfirmGivesQuotaBack,
}

/// <summary>One step of a sequence. A step stands by itself, so a sequence stays one when steps are cut out.</summary>
internal abstract record Op;

internal sealed record WaitOp(long Ms) : Op;

internal sealed record TidyOp : Op;

/// <summary>Go on with a machine made from the state so far: from its events or from a snapshot.</summary>
internal sealed record RestartOp(bool FromSnapshot) : Op;

internal sealed record PutOp(string Resource, ResourcePolicy Policy) : Op;

/// <summary>An absolute set when it names a version: how far it is behind the current one, until it is about to be asked.</summary>
internal sealed record AdjustOp(string Resource, string Id, long Value, bool Force, long? ExpectedVersion, long CurrentVersion = 0) : Op;

internal sealed record TryOp(string Id, string? Owner, long TtlMs, long IssuedAtMs, (string Resource, long Quantity)[] Lines) : Op
{
    public override string ToString() => $"Try {Id} {Owner} ttl {TtlMs} issued {IssuedAtMs} {string.Join(' ', Lines)}";
}

internal sealed record ConfirmOp(string Id, bool KeepRemainder, (string Resource, long Quantity)[] Lines) : Op
{
    public override string ToString() => $"Confirm {Id} {(KeepRemainder ? "keeping" : "")} {string.Join(' ', Lines)}";
}

internal sealed record CancelOp(string Id) : Op;

internal sealed record ExtendOp(string Id, long TtlMs) : Op;

internal sealed record ReturnOp(string Id, string ReturnId, (string Resource, long Quantity)[] Lines) : Op
{
    public override string ToString() => $"Return {Id} {ReturnId} {string.Join(' ', Lines)}";
}

internal sealed record GetOp(string Id) : Op;

/// <summary>An answer in plain values, comparable.</summary>
internal sealed record Reply(
    Code Code, HoldState State = HoldState.None, bool Repeat = false, long ExpiresAtMs = 0, long Asked = 0, long Available = 0,
    string? Resource = null, string? View = null);

/// <summary>A shelf of the reference model.</summary>
internal sealed class Shelf(string id)
{
    public string Id { get; } = id;

    public ResourcePolicy Policy { get; set; } = ResourcePolicy.Default;

    public long Supplied { get; set; }

    public long ConsumedByForgotten { get; set; }

    public Dictionary<string, (long Value, long? Version, bool Force)> Adjustments { get; } = [];
}

/// <summary>A hold of the reference model.</summary>
internal sealed class Order(string id, string? owner, long created, long ttlAsked, List<Line> lines)
{
    public string Id { get; } = id;

    public string? Owner { get; } = owner;

    public long Created { get; } = created;

    public long TtlAsked { get; } = ttlAsked;

    public List<Line> Lines { get; } = lines;

    public HoldState State { get; set; }

    public long Deadline { get; set; }

    public long EndedAt { get; set; }

    public HashSet<(string Resource, long Quantity)> LastConfirm { get; set; } = [];

    public Dictionary<string, HashSet<(string Resource, long Quantity)>> Returns { get; } = [];
}

/// <summary>A line of the reference model.</summary>
internal sealed class Line(string resource, long quantity)
{
    public string Resource { get; } = resource;

    public long Quantity { get; } = quantity;

    public long Held { get; set; }

    public long Consumed { get; set; }

    public long Returned { get; set; }
}

/// <summary>A hold as text, from the model or from the machine.</summary>
internal static class HoldText
{
    public static string Of(HoldView v) => Of(
        v.Id, v.Owner, v.State, v.CreatedAtMs, v.ExpiresAtMs, v.Lines.Select(l => (l.Resource, l.Quantity, l.Held, l.Consumed, l.Returned)));

    public static string Of(
        string id, string? owner, HoldState state, long created, long expires, IEnumerable<(string Resource, long, long, long, long)> lines) =>
        FormattableString.Invariant($"{id} {owner} {state} {created} {expires} {string.Join(' ', lines.OrderBy(l => l.Resource, StringComparer.Ordinal))}");
}
