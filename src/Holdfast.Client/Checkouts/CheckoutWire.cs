using System.Text.Json.Serialization;

namespace Holdfast.Client.Http;

internal sealed record CheckoutBeginBody(string Id, string Owner, LineBody[] Lines, Money Amount, string Channel, decimal? TtlSeconds, DateTimeOffset IssuedAt);

internal sealed record RefundBody(string Id, Money? Amount, string? Transaction, string Reason);

internal sealed record ResolveBody(string Decision, string Reason);

internal sealed record CheckoutStateBody
{
    public required string Id { get; init; }

    public required string State { get; init; }

    public ReasonBody? Reason { get; init; }

    public required Money Amount { get; init; }

    public required Money Paid { get; init; }

    public required Money Refunded { get; init; }

    public required string Channel { get; init; }

    public string? Hold { get; init; }

    public string? PayUrl { get; init; }

    public string? ProviderOrder { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public bool Rescued { get; init; }

    public bool Stuck { get; init; }

    public required CheckoutPayment?[] Payments { get; init; }

    public required CheckoutRefund?[] Refunds { get; init; }

    public string? Explanation { get; init; }

    public Checkout ToCheckout() => new()
    {
        Id = Whole.Value(Id),
        State = Enum.TryParse(State, ignoreCase: true, out CheckoutState state) ? state : CheckoutState.Unknown,
        StateText = Whole.Value(State),
        ReasonCode = Reason?.Code,
        Reason = Reason?.Message,
        Amount = Amount,
        Paid = Paid,
        Refunded = Refunded,
        Channel = Channel,
        Hold = Hold,
        PayUrl = Uri.TryCreate(PayUrl, UriKind.Absolute, out Uri? payUrl) ? payUrl : null,
        ProviderOrder = ProviderOrder,
        CreatedAt = CreatedAt,
        ExpiresAt = ExpiresAt,
        EndedAt = EndedAt,
        Rescued = Rescued,
        Stuck = Stuck,
        Payments = Whole.Items(Payments),
        Refunds = Whole.Items(Refunds),
        Explanation = Explanation,
    };
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CheckoutBeginBody))]
[JsonSerializable(typeof(AbortBody))]
[JsonSerializable(typeof(RefundBody))]
[JsonSerializable(typeof(ResolveBody))]
[JsonSerializable(typeof(CheckoutStateBody))]
[JsonSerializable(typeof(PageBody<CheckoutStateBody>))]
internal sealed partial class CheckoutJson : JsonSerializerContext;
