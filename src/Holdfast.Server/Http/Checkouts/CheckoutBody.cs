using System.Text.Json;
using Holdfast.Engine.Payments;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>Reads the bodies of the calls on checkouts.</summary>
internal static class CheckoutBody
{
    public static BeginCheckout Begin(NameHasher hasher, JsonElement body, PaymentChannels channels)
    {
        JsonBody.Known(body, "id", "owner", "lines", "amount", "channel", "ttlSeconds", "issuedAt");
        string id = JsonBody.Text(body, "id") ?? throw new BodyException("id is missing");
        string name = JsonBody.Text(body, "channel") ?? throw new BodyException("channel is missing");
        IPaymentChannel channel = channels.Find(name)
            ?? throw new BodyException($"there is no channel '{name}'; configured: {string.Join(", ", channels.All.Select(c => c.Name).Order(StringComparer.Ordinal).DefaultIfEmpty("none"))}");
        (long? value, string? currency) = Amount(body);
        if (value is null || currency is null)
        {
            throw new BodyException("amount is missing: {\"value\":MINOR UNITS,\"currency\":\"EUR\"}");
        }

        if (channel.Problem(id, value.Value, currency) is { } problem)
        {
            throw new BodyException(problem);
        }

        return new BeginCheckout(
            hasher,
            id,
            JsonBody.Text(body, "owner"),
            JsonBody.Lines(body),
            value.Value,
            currency,
            channel.Name,
            channel.MakesCalls,
            JsonBody.Milliseconds(body, "ttlSeconds"),
            JsonBody.Text(body, "issuedAt") is { } issued ? JsonBody.Instant(issued) : 0);
    }

    public static RefundCheckout Refund(NameHasher hasher, string checkout, JsonElement body)
    {
        JsonBody.Known(body, "id", "amount", "transaction", "reason");
        (long? value, string? currency) = Amount(body);
        if (value is <= 0)
        {
            throw new BodyException("amount.value must be 1 or more; without an amount all that is left goes back");
        }

        return new RefundCheckout(
            hasher,
            checkout,
            JsonBody.Text(body, "id") ?? throw new BodyException("id is missing: name the refund, so that it is safe to repeat"),
            JsonBody.Text(body, "transaction"),
            value ?? 0,
            currency,
            JsonBody.Text(body, "reason") ?? "");
    }

    public static string Reason(JsonElement body) => JsonBody.Text(body, "reason") ?? "";

    private static (long? Value, string? Currency) Amount(JsonElement body)
    {
        if (!body.TryGetProperty("amount", out JsonElement amount) || amount.ValueKind == JsonValueKind.Null)
        {
            return default;
        }

        if (amount.ValueKind != JsonValueKind.Object)
        {
            throw new BodyException("amount must be {\"value\":MINOR UNITS,\"currency\":\"EUR\"}");
        }

        JsonBody.Known(amount, "value", "currency");
        return (JsonBody.Whole(amount, "value") ?? throw new BodyException("amount.value is missing"), JsonBody.Text(amount, "currency"));
    }
}
