using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.Stripe;

/// <summary>Stripe: PaymentIntents, refunds, events.</summary>
/// <remarks>Source: Stripe's API reference. Settings: <c>secrets</c>, <c>toleranceSeconds</c>; with <c>apiKey</c> it also calls.</remarks>
internal sealed class StripeChannel : IPaymentChannel
{
    public const string CheckoutKey = "checkout";
    public const string RefundKey = "refund";
    public const string SpaceKey = "space";

    private const int IdempotencyKeyMax = 255;

    private readonly IReadOnlyList<byte[]> _secrets;
    private readonly TimeSpan _tolerance;
    private readonly string? _apiKey;
    private readonly Uri _address;
    private readonly HttpMessageInvoker _http;

    public StripeChannel(ChannelConfig config, HttpMessageInvoker http)
    {
        config.Known("secrets", "toleranceSeconds", "apiKey", "address");
        Name = config.Channel;
        _secrets = [.. config.Texts("secrets").Select(s => s.Length > 0 ? Encoding.UTF8.GetBytes(s) : throw config.Wrong("a secret is empty"))];
        if (_secrets.Count == 0)
        {
            throw config.Wrong("secrets is empty: give the endpoint's signing secret (whsec_...)");
        }

        _tolerance = config.Tolerance();
        _apiKey = config.Text("apiKey");
        _address = config.Address("address", "https://api.stripe.com/");
        _http = http;
    }

    public string Name { get; }

    public bool MakesCalls => _apiKey is not null;

    public string? Problem(string checkout, long amount, string currency) =>
        amount > 99_999_999 ? "Stripe takes at most 99999999 minor units a payment"
        : Encoding.UTF8.GetByteCount(checkout) > 200 ? "Stripe takes at most 200 bytes of an id" : null;

    public CallbackVerdict Verify(CallbackRequest request, DateTimeOffset now)
    {
        string? refusal = StripeSignature.Refusal(request.Header(StripeSignature.HeaderName), request.Body.Span, _secrets, _tolerance, now);
        if (refusal is not null)
        {
            return CallbackVerdict.Refused(refusal);
        }

        JsonObject? root = JsonFacts.ParseObject(request.Body.Span);
        return CallbackVerdict.Genuine(StripeEvent.Read(Name, request.Space, root, request.Body), root);
    }

    public PaymentNotice? Reread(string space, string eventId, ReadOnlyMemory<byte> body) =>
        JsonFacts.ParseObject(body.Span) is { } root ? StripeEvent.Read(Name, space, root, body) : null;

    public CallbackReply Reply(CallbackOutcome outcome) => outcome switch
    {
        CallbackOutcome.Taken => new CallbackReply(200),
        CallbackOutcome.Refused => new CallbackReply(401, "application/json", "{\"code\":\"unauthorized\"}"),
        _ => new CallbackReply(503),
    };

    public async Task<PaymentResult> CreateAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        Answer answer = await SendAsync(
            HttpMethod.Post,
            "v1/payment_intents",
            [
                new("amount", Text(order.Amount)),
                new("currency", order.Currency.ToLowerInvariant()),
                new("automatic_payment_methods[enabled]", "true"),
                new($"metadata[{CheckoutKey}]", order.Checkout),
                new($"metadata[{SpaceKey}]", order.Space),
            ],
            $"{order.Space}/{order.Checkout}",
            cancellationToken);
        return answer.Status is 200 ? OfIntent(answer.Body, null) : OfError(answer);
    }

    public async Task<PaymentResult> QueryAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        if (order.ProviderOrder is null)
        {
            return new PaymentResult(PaymentOutcome.NotFound, "no payment intent is known");
        }

        Answer answer = await SendAsync(HttpMethod.Get, "v1/payment_intents/" + Uri.EscapeDataString(order.ProviderOrder), [], null, cancellationToken);
        return answer.Status is 200 ? OfIntent(answer.Body, order.ProviderOrder) : OfError(answer);
    }

    public async Task<PaymentResult> CloseAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        if (order.ProviderOrder is null)
        {
            // Its making may have got no answer: the same key finds it, or makes one that is cancelled at once.
            PaymentResult made = await CreateAsync(order, cancellationToken);
            if (made.ProviderId is null)
            {
                return made;
            }

            order = order with { ProviderOrder = made.ProviderId };
        }

        // Without a key: cancelling twice does no harm, and with one Stripe would repeat a refusal for a day whatever has become of the intent.
        Answer answer = await SendAsync(HttpMethod.Post, $"v1/payment_intents/{Uri.EscapeDataString(order.ProviderOrder)}/cancel", [], null, cancellationToken);
        PaymentResult said = answer.Status is 200 ? OfIntent(answer.Body, order.ProviderOrder) : OfError(answer);

        // An intent that can't be cancelled any more may have succeeded.
        return said.Outcome is PaymentOutcome.Closed or PaymentOutcome.NotFound or PaymentOutcome.Unknown ? said : await QueryAsync(order, cancellationToken);
    }

    public async Task<PaymentResult> RefundAsync(RefundOrder refund, CancellationToken cancellationToken)
    {
        List<KeyValuePair<string, string>> form =
        [
            new("payment_intent", refund.Transaction),
            new("amount", Text(refund.Amount)),
            new($"metadata[{RefundKey}]", refund.Id),
            new($"metadata[{CheckoutKey}]", refund.Order.Checkout),
        ];
        string key = refund.Id;
        if (refund.Order.Space != SpaceHost.DefaultName)
        {
            // Refunds of the default space stay what they always were: one whose answer was lost is asked for with the same words under the same key.
            form.Add(new($"metadata[{SpaceKey}]", refund.Order.Space));
            key = $"{refund.Order.Space}/{refund.Id}";
        }

        Answer answer = await SendAsync(HttpMethod.Post, "v1/refunds", form, key, cancellationToken);
        return answer.Status is 200 ? OfRefund(answer.Body) : OfError(answer);
    }

    public async Task<PaymentResult> QueryRefundAsync(RefundOrder refund, CancellationToken cancellationToken)
    {
        if (refund.ProviderRefund is null)
        {
            return await RefundAsync(refund, cancellationToken); // the same key: the same refund
        }

        Answer answer = await SendAsync(HttpMethod.Get, "v1/refunds/" + Uri.EscapeDataString(refund.ProviderRefund), [], null, cancellationToken);
        return answer.Status is 200 ? OfRefund(answer.Body) : ProviderHttp.OfRefusedQuestion(OfError(answer));
    }

    /// <summary>The report <c>balance_change_from_activity.itemized.3</c> of one day (UTC): begun, awaited, fetched.</summary>
    public async Task<Stream> DownloadBillAsync(DateOnly day, CancellationToken cancellationToken)
    {
        long from = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero).ToUnixTimeSeconds();
        Answer run = await SendAsync(
            HttpMethod.Post,
            "v1/reporting/report_runs",
            [
                new("report_type", "balance_change_from_activity.itemized.3"),
                new("parameters[interval_start]", Text(from)),
                new("parameters[interval_end]", Text(from + (24 * 3600))),
            ],
            $"bill/{from.ToString(CultureInfo.InvariantCulture)}",
            cancellationToken);
        for (int asked = 0; asked < 60 && JsonFacts.Text(run.Body, "status") == "pending"; asked++)
        {
            await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
            run = await SendAsync(HttpMethod.Get, "v1/reporting/report_runs/" + Uri.EscapeDataString(JsonFacts.Text(run.Body, "id") ?? ""), [], null, cancellationToken);
        }

        if (JsonFacts.Text(JsonFacts.Object(run.Body, "result"), "url") is not { } url)
        {
            throw new PaymentChannelException($"Stripe's report of {day:yyyy-MM-dd} is not ready: {JsonFacts.Text(run.Body, "status") ?? OfError(run).Text}");
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _apiKey);
        return await ProviderHttp.DownloadAsync(_http, request, cancellationToken);
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>What an intent's state means; one that wasn't asked about means nothing.</summary>
    private PaymentResult OfIntent(JsonObject? intent, string? asked)
    {
        string? id = JsonFacts.Text(intent, "id");
        if (asked is not null && id != asked)
        {
            return new PaymentResult(PaymentOutcome.Unknown, "an answer about another payment intent");
        }

        string status = JsonFacts.Text(intent, "status") ?? "";
        var read = new PaymentNotice { Channel = Name, Kind = NoticeKind.Other, Type = "payment_intent " + status };
        return status switch
        {
            "succeeded" when StripeEvent.Payment(read, intent!, StripeEvent.AmountOf(intent!)) is { Kind: NoticeKind.Paid } paid =>
                new PaymentResult(PaymentOutcome.Paid, status) { ProviderId = id, Notice = paid },
            "canceled" => new PaymentResult(PaymentOutcome.Closed, status) { ProviderId = id },
            "requires_payment_method" or "requires_confirmation" or "requires_action" => new PaymentResult(PaymentOutcome.Opened, status) { ProviderId = id },
            "processing" or "requires_capture" => new PaymentResult(PaymentOutcome.Pending, status) { ProviderId = id },
            _ => new PaymentResult(PaymentOutcome.Unknown, "an answer without a status that is known") { ProviderId = id },
        };
    }

    private static PaymentResult OfRefund(JsonObject? refund)
    {
        string status = JsonFacts.Text(refund, "status") ?? "";
        PaymentOutcome outcome = status switch
        {
            "succeeded" => PaymentOutcome.Refunded,
            "pending" or "requires_action" => PaymentOutcome.Pending,
            "failed" or "canceled" => PaymentOutcome.Refused,
            _ => PaymentOutcome.Unknown,
        };
        return new PaymentResult(outcome, status) { ProviderId = JsonFacts.Text(refund, "id") };
    }

    private static PaymentResult OfError(Answer answer)
    {
        JsonObject? error = JsonFacts.Object(answer.Body, "error");
        string text = answer.Words((JsonFacts.Text(error, "code") ?? JsonFacts.Text(error, "type")) + " " + JsonFacts.Text(error, "message"));
        PaymentOutcome outcome = answer.Status switch
        {
            404 => PaymentOutcome.NotFound,
            400 or 402 or 403 => PaymentOutcome.Refused,
            _ => PaymentOutcome.Unknown, // 401: the key is wrong, which an operator mends; 409, 429, 5xx: later
        };
        return new PaymentResult(outcome, text);
    }

    private async Task<Answer> SendAsync(HttpMethod method, string path, IReadOnlyCollection<KeyValuePair<string, string>> form, string? idempotencyKey, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(_address, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _apiKey);
        if (idempotencyKey is not null)
        {
            string key = Uri.EscapeDataString(idempotencyKey);
            request.Headers.TryAddWithoutValidation("Idempotency-Key", key.Length <= IdempotencyKeyMax ? key : RetainedId.Of(Encoding.UTF8.GetBytes(idempotencyKey)));
        }

        request.Content = method == HttpMethod.Post ? new FormUrlEncodedContent(form) : null;
        ProviderAnswer answer = await ProviderHttp.SendAsync(_http, request, cancellationToken);
        return new Answer(answer.Status, JsonFacts.ParseObject(answer.Body));
    }

    private sealed record Answer(int Status, JsonObject? Body)
    {
        public string Words(string what) => $"{Status} {what}".Trim();
    }
}
