using System.Text.Json;
using System.Text.Json.Serialization;

namespace Holdfast.Client.Http;

// Bodies exactly as they go over the wire (DESIGN section 10), apart from the public models, so that neither has to
// bend to the other: the resource is flat here, and states are text that may be newer than this client.

internal sealed record LineBody(string Resource, long Quantity);

internal sealed record TryBody(string Id, string? Owner, long? TtlSeconds, DateTimeOffset IssuedAt, LineBody[] Lines);

internal sealed record ConfirmBody(LineBody[]? Lines, bool? KeepRemainder);

internal sealed record ExtendBody(long TtlSeconds);

internal sealed record ReturnBody(string Id, LineBody[] Lines, string? Reason);

internal sealed record AdjustBody(string Id, long? Delta, long? Set, long? ExpectedVersion, string? Reason, bool? Force);

internal sealed record PolicyBody(
    long? LimitPerOwner,
    DateTimeOffset? OpensAt,
    DateTimeOffset? ClosesAt,
    string? Owner,
    long Overdraft,
    int? HoldSeconds,
    bool Disabled,
    long SafetyStock);

internal record HoldBody
{
    public required string Id { get; init; }

    public string? Owner { get; init; }

    public required string State { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    // A hold cancelled before its try has none.
    public LineBody?[]? Lines { get; init; }

    public Hold ToHold() => new()
    {
        Id = Whole.Value(Id),
        Owner = Owner,
        State = RefusalCodes.ParseState(Whole.Value(State)),
        ExpiresAt = ExpiresAt,
        Lines = Array.ConvertAll(Whole.Items(Lines ?? []), line => new HoldLine(Whole.Value(line.Resource), line.Quantity)),
    };
}

/// <summary>Refuses the nulls that a reader of JSON lets pass where a type says that there are none.</summary>
internal static class Whole
{
    public static T[] Items<T>(T?[]? items)
        where T : class => Array.ConvertAll(items ?? throw HasHole(), item => item ?? throw HasHole());

    public static string Value(string? text) => text ?? throw HasHole();

    private static HoldfastProtocolException HasHole() =>
        new("Unexpected answer: a null, or nothing, where Holdfast always has something. Is HttpAddress right, and nothing else listening there?");
}

internal sealed record ResourceBody
{
    public required string Id { get; init; }

    public required long Available { get; init; }

    public required long Held { get; init; }

    public required long Consumed { get; init; }

    public required long Version { get; init; }

    public long? LimitPerOwner { get; init; }

    public DateTimeOffset? OpensAt { get; init; }

    public DateTimeOffset? ClosesAt { get; init; }

    public string? Owner { get; init; }

    public long? Overdraft { get; init; }

    public decimal? HoldSeconds { get; init; }

    public bool? Disabled { get; init; }

    public long? SafetyStock { get; init; }

    public Resource ToResource() => new()
    {
        Id = Whole.Value(Id),
        Available = Available,
        Held = Held,
        Consumed = Consumed,
        Version = Version,
        Policy = new ResourcePolicy
        {
            LimitPerOwner = LimitPerOwner,
            OpensAt = OpensAt,
            ClosesAt = ClosesAt,
            Owner = Owner,
            Overdraft = Overdraft ?? 0,
            HoldSeconds = HoldSeconds is { } seconds ? (int)decimal.Ceiling(seconds) : null,
            Disabled = Disabled ?? false,
            SafetyStock = SafetyStock ?? 0,
        },
    };
}

/// <summary>RFC 9457 problem details with our members.</summary>
internal sealed record ProblemBody
{
    public string? Title { get; init; }

    public string? Detail { get; init; }

    public string? Code { get; init; }

    public string? Resource { get; init; }

    public long? Asked { get; init; }

    public long? Available { get; init; }

    // An id today; whatever else a newer server sends here must not make the refusal unreadable.
    public JsonElement? Hold { get; init; }

    public Refusal ToRefusal(string code) => new(RefusalCodes.Parse(code), code, Detail ?? Title ?? code)
    {
        Resource = Resource,
        Asked = Asked,
        Available = Available,
        BlockingHold = Hold is { ValueKind: JsonValueKind.String } hold ? hold.GetString() : null,
    };
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TryBody))]
[JsonSerializable(typeof(ConfirmBody))]
[JsonSerializable(typeof(ExtendBody))]
[JsonSerializable(typeof(ReturnBody))]
[JsonSerializable(typeof(AdjustBody))]
[JsonSerializable(typeof(PolicyBody))]
[JsonSerializable(typeof(HoldBody))]
[JsonSerializable(typeof(ResourceBody))]
[JsonSerializable(typeof(ProblemBody))]
internal sealed partial class WireJson : JsonSerializerContext;
