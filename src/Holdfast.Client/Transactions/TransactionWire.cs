using System.Text.Json;
using System.Text.Json.Serialization;

namespace Holdfast.Client.Http;

internal sealed record CallBody(string Url, JsonElement? Body, decimal? TimeoutSeconds);

internal sealed record HoldBranchBody(string? Owner, decimal? TtlSeconds, LineBody[] Lines);

internal sealed record BranchBody(string Name, string[]? After, CallBody? Try, CallBody? Confirm, CallBody? Cancel, HoldBranchBody? Hold);

internal sealed record BeginBody(string Id, decimal? TimeoutSeconds, DateTimeOffset IssuedAt, bool? Begin, CallBody? CheckBack, BranchBody[] Branches);

internal sealed record AbortBody(string? Reason);

internal sealed record RetryBody(string? Branch);

internal sealed record ForceBody(string Reason, string? Branch, string? Decision, bool? DryRun);

internal sealed record ReasonBody(string? Code, string? Message);

internal sealed record BranchStateBody(string Name, string State, int Attempts, string? LastAnswer, DateTimeOffset? NextAt, string? Hold);

internal sealed record TransactionBody
{
    public required string Id { get; init; }

    public required string State { get; init; }

    public string? Decision { get; init; }

    public ReasonBody? Reason { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset Deadline { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public required BranchStateBody?[] Branches { get; init; }

    public string? Explanation { get; init; }

    public string[]? WouldDo { get; init; }

    public Transaction ToTransaction() => new()
    {
        Id = Whole.Value(Id),
        State = Enum.TryParse(State, ignoreCase: true, out TransactionState state) ? state : TransactionState.Unknown,
        StateText = Whole.Value(State),
        Commits = Decision switch
        {
            "commit" => true,
            "abort" => false,
            _ => null,
        },
        ReasonCode = Reason?.Code,
        Reason = Reason?.Message,
        CreatedAt = CreatedAt,
        Deadline = Deadline,
        EndedAt = EndedAt,
        Branches = Array.ConvertAll(Whole.Items(Branches), b => new TransactionBranch(b.Name, b.State, b.Attempts, b.LastAnswer, b.NextAt, b.Hold)),
        Explanation = Explanation,
        WouldDo = WouldDo,
    };
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BeginBody))]
[JsonSerializable(typeof(AbortBody))]
[JsonSerializable(typeof(RetryBody))]
[JsonSerializable(typeof(ForceBody))]
[JsonSerializable(typeof(TransactionBody))]
[JsonSerializable(typeof(PageBody<TransactionBody>))]
internal sealed partial class TransactionJson : JsonSerializerContext;
