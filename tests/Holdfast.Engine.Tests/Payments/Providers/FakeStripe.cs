using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine.Payments;
using Holdfast.Engine.Payments.Stripe;

namespace Holdfast.Engine.Tests.Payments.Providers;

/// <summary>PaymentIntents, refunds and report runs, as the API reference has them.</summary>
internal sealed class FakeStripe : FakeProvider
{
    private readonly Dictionary<string, (string Request, int Status, string Answer)> _answered = new(StringComparer.Ordinal);

    public override string Kind => "stripe";

    public override string Currency => "EUR";

    public override IPaymentChannel Channel(TimeProvider time) => Channels(time).Create("stripe", new JsonObject
    {
        ["secrets"] = new JsonArray("whsec_" + Secret),
        ["apiKey"] = "sk_test_" + Secret,
        ["address"] = "https://stripe.test/",
    });

    public override CallbackRequest Callback(FakeOrder order, DateTimeOffset now)
    {
        byte[] body = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["id"] = "evt_" + order.Number,
            ["type"] = "payment_intent.succeeded",
            ["data"] = new JsonObject { ["object"] = Intent(order) },
        }.ToJsonString());
        return new CallbackRequest(
            new Dictionary<string, string> { ["Stripe-Signature"] = StripeSignature.Sign("whsec_" + Secret, now.ToUnixTimeSeconds(), body) }, body);
    }

    protected override async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, string body)
    {
        Require(request.Headers.Authorization?.ToString() == "Bearer sk_test_" + Secret, "no API key");
        Dictionary<string, string> form = body.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split('=')).ToDictionary(p => WebUtility.UrlDecode(p[0]), p => WebUtility.UrlDecode(p[1]));
        string[] path = request.RequestUri!.AbsolutePath.Trim('/').Split('/');
        string? key = request.Headers.TryGetValues("Idempotency-Key", out IEnumerable<string>? keys) ? keys.Single() : null;
        bool post = request.Method == HttpMethod.Post;
        Require(!post || key is not null || path[^1] == "cancel", "a POST without an idempotency key that would be carried out twice");
        Require(key is null or { Length: <= 255 }, "an idempotency key of more than 255 characters");
        string asked = string.Join('/', path) + "?" + body;
        if (post && key is not null && _answered.TryGetValue(key, out (string Request, int Status, string Answer) before))
        {
            // The first answer again, a refusal too; the same key for something else is an error.
            return before.Request == asked ? Json(before.Status, JsonNode.Parse(before.Answer)!.AsObject()) : Error(400, "idempotency_error");
        }

        HttpResponseMessage response = Carry(path, form);
        if (response.Content.Headers.ContentType?.MediaType == "application/json")
        {
            JsonObject answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
            Changes?.Invoke(request.RequestUri.AbsolutePath, answer);
            if (post && key is not null)
            {
                _answered[key] = (asked, (int)response.StatusCode, answer.ToJsonString());
            }

            response = Json((int)response.StatusCode, answer);
        }

        return response;
    }

    private HttpResponseMessage Carry(string[] path, Dictionary<string, string> form) =>
        (path[1], path.ElementAtOrDefault(2), path.ElementAtOrDefault(3)) switch
        {
            ("payment_intents", null, _) => Create(form),
            ("payment_intents", { } id, "cancel") => Cancel(id),
            ("payment_intents", { } id, null) => Find(id) is { } order ? Json(200, Intent(order)) : Error(404, "resource_missing"),
            ("refunds", null, _) => Refund(form),
            ("refunds", "re_other", _) => Error(400, "parameter_invalid"),
            ("refunds", { } id, _) => Json(200, new JsonObject { ["id"] = id, ["status"] = "succeeded" }),
            ("reporting", "report_runs", _) => Json(200, new JsonObject { ["id"] = "frr_1", ["status"] = "succeeded", ["result"] = new JsonObject { ["url"] = "https://stripe.test/v1/files/contents" } }),
            ("files", _, _) => new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("a bill") },
            _ => Error(404, "no_such_path"),
        };

    private static JsonObject Intent(FakeOrder order) => new()
    {
        ["id"] = "pi_" + order.Number,
        ["object"] = "payment_intent",
        ["amount"] = order.Amount,
        ["amount_received"] = order.State == "paid" ? order.Amount : 0,
        ["currency"] = "eur",
        ["status"] = order.State switch { "paid" => "succeeded", "closed" => "canceled", "processing" => "processing", _ => "requires_payment_method" },
        ["metadata"] = new JsonObject { ["checkout"] = order.Number },
    };

    private static HttpResponseMessage Error(int status, string code, JsonObject? intent = null) => Json(status, new JsonObject
    {
        ["error"] = new JsonObject { ["code"] = code, ["message"] = "because", ["payment_intent"] = intent },
    });

    private static HttpResponseMessage Json(int status, JsonObject body) => new((HttpStatusCode)status) { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") };

    private HttpResponseMessage Create(Dictionary<string, string> form)
    {
        string number = form["metadata[checkout]"];
        if (!Orders.TryGetValue(number, out FakeOrder? order))
        {
            Orders[number] = order = new FakeOrder(number, long.Parse(form["amount"]));
        }

        return Json(200, Intent(order));
    }

    private HttpResponseMessage Cancel(string id)
    {
        FakeOrder order = Find(id)!;
        if (order.State is "paid" or "processing" or "closed")
        {
            return Error(400, "payment_intent_unexpected_state", Intent(order));
        }

        order.State = "closed";
        return Json(200, Intent(order));
    }

    private HttpResponseMessage Refund(Dictionary<string, string> form)
    {
        FakeOrder order = Find(form["payment_intent"])!;
        string id = form["payment_intent"] + "/" + form["metadata[refund]"];
        long amount = long.Parse(form["amount"]);
        if (!Refunds.ContainsKey(id))
        {
            if (amount > order.Amount - order.Refunded)
            {
                return Error(400, "charge_already_refunded");
            }

            Refunds[id] = amount;
            order.Refunded += amount;
        }

        return Json(200, new JsonObject { ["id"] = "re_" + id.Replace('/', '_'), ["status"] = "pending" });
    }

    private FakeOrder? Find(string id) => Orders.GetValueOrDefault(id["pi_".Length..]);
}
