using System.Text.Json.Serialization;

namespace Holdfast.Client.Http;

internal sealed record MoneyBody(long Value, string Currency)
{
    public Money ToMoney() => new(Value, Currency);
}

internal sealed record CheckoutBeginBody(string Id, string Owner, LineBody[] Lines, MoneyBody Amount, string Channel, decimal? TtlSeconds, DateTimeOffset IssuedAt);

internal sealed record RefundBody(string Id, MoneyBody? Amount, string? Transaction, string Reason);

internal sealed record ResolveBody(string Decision, string Reason);

internal sealed record PaymentBody(string Transaction, MoneyBody Amount, string Use, DateTimeOffset At, bool Disputed);

internal sealed record RefundStateBody(string Id, string Transaction, MoneyBody Amount, string State, string? Reason);

internal sealed record CheckoutStateBody
{
    public required string Id { get; init; }

    public required string State { get; init; }

    public ReasonBody? Reason { get; init; }

    public required MoneyBody Amount { get; init; }

    public required MoneyBody Paid { get; init; }

    public required MoneyBody Refunded { get; init; }

    public required string Channel { get; init; }

    public string? Hold { get; init; }

    public string? PayUrl { get; init; }

    public string? ProviderOrder { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public bool Rescued { get; init; }

    public bool Stuck { get; init; }

    public required PaymentBody[] Payments { get; init; }

    public required RefundStateBody[] Refunds { get; init; }

    public string? Explanation { get; init; }

    public Checkout ToCheckout() => new()
    {
        Id = Id,
        State = Enum.TryParse(State, ignoreCase: true, out CheckoutState state) ? state : CheckoutState.Unknown,
        StateText = State,
        ReasonCode = Reason?.Code,
        Reason = Reason?.Message,
        Amount = Amount.ToMoney(),
        Paid = Paid.ToMoney(),
        Refunded = Refunded.ToMoney(),
        Channel = Channel,
        Hold = Hold,
        PayUrl = Uri.TryCreate(PayUrl, UriKind.Absolute, out Uri? payUrl) ? payUrl : null,
        ProviderOrder = ProviderOrder,
        CreatedAt = CreatedAt,
        ExpiresAt = ExpiresAt,
        EndedAt = EndedAt,
        Rescued = Rescued,
        Stuck = Stuck,
        Payments = Array.ConvertAll(Payments, p => new CheckoutPayment(p.Transaction, p.Amount.ToMoney(), p.Use, p.At, p.Disputed)),
        Refunds = Array.ConvertAll(Refunds, r => new CheckoutRefund(r.Id, r.Transaction, r.Amount.ToMoney(), r.State, r.Reason)),
        Explanation = Explanation,
    };
}

internal sealed record CheckoutPageBody(CheckoutStateBody[] Items, string? Next);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CheckoutBeginBody))]
[JsonSerializable(typeof(AbortBody))]
[JsonSerializable(typeof(RefundBody))]
[JsonSerializable(typeof(ResolveBody))]
[JsonSerializable(typeof(CheckoutStateBody))]
[JsonSerializable(typeof(CheckoutPageBody))]
internal sealed partial class CheckoutJson : JsonSerializerContext;
