using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine.Payments;

namespace Holdfast.Engine.Tests.Payments.Providers;

/// <summary>Precreated trades, refunds and bills of the open platform's gateway: verifies each request's sign, signs each answer.</summary>
internal sealed class FakeAlipay : FakeProvider
{
    private readonly RSA _alipay = RSA.Create(2048);
    private readonly RSA _merchant = RSA.Create(2048);

    public override string Kind => "alipay";

    public override string Currency => "CNY";

    public override IPaymentChannel Channel(TimeProvider time) => Channels(time).Create("alipay", new JsonObject
    {
        ["appId"] = "2021",
        ["publicKey"] = Convert.ToBase64String(_alipay.ExportSubjectPublicKeyInfo()), // bare, as the console shows it
        ["privateKey"] = Convert.ToBase64String(_merchant.ExportPkcs8PrivateKey()),
        ["notifyUrl"] = "https://shop.test/v1/callbacks/alipay",
        ["address"] = "https://alipay.test/gateway.do",
    });

    public override CallbackRequest Callback(FakeOrder order, DateTimeOffset now)
    {
        var fields = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["app_id"] = "2021",
            ["charset"] = "utf-8",
            ["notify_id"] = "n-" + order.Number,
            ["out_trade_no"] = order.Number,
            ["subject"] = "茶 1+1 & 100%",
            ["total_amount"] = Yuan(order.Amount),
            ["trade_no"] = order.Transaction!,
            ["trade_status"] = "TRADE_SUCCESS",
        };
        byte[] signed = Encoding.UTF8.GetBytes(string.Join('&', fields.Select(f => f.Key + "=" + f.Value)));
        fields["sign"] = Convert.ToBase64String(_alipay.SignData(signed, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        fields["sign_type"] = "RSA2";
        return new CallbackRequest(new Dictionary<string, string>(), Encoding.ASCII.GetBytes(string.Join('&', fields.Select(f => f.Key + "=" + WebUtility.UrlEncode(f.Value)))));
    }

    protected override Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, string body)
    {
        if (request.Method == HttpMethod.Get)
        {
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("a bill") });
        }

        Dictionary<string, string> form = body.Split('&').Select(p => p.Split('=')).ToDictionary(p => WebUtility.UrlDecode(p[0]), p => WebUtility.UrlDecode(p[1]));
        byte[] signature = Convert.FromBase64String(form["sign"]);
        form.Remove("sign");
        string signed = string.Join('&', form.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => f.Key + "=" + f.Value));
        Require(_merchant.VerifyData(Encoding.UTF8.GetBytes(signed), signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1), "a request whose sign is wrong");
        Require(form["app_id"] == "2021" && form["sign_type"] == "RSA2" && form["version"] == "1.0", "a request without its common fields");
        JsonObject answer = Carry(form["method"], JsonNode.Parse(form["biz_content"])!.AsObject());
        Changes?.Invoke(form["method"], answer);
        string text = answer.ToJsonString();
        string sign = Convert.ToBase64String(_alipay.SignData(Encoding.UTF8.GetBytes(SignsWrongly ? text + " " : text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK)
        {
            Content = new StringContent($$"""{"{{form["method"].Replace('.', '_')}}_response":{{text}},"sign":"{{sign}}"}""", Encoding.UTF8, "application/json"),
        });
    }

    private static string Yuan(long fen) => (fen / 100m).ToString("0.00", System.Globalization.CultureInfo.InvariantCulture);

    private static JsonObject Good(params (string Name, string Value)[] fields)
    {
        var answer = new JsonObject { ["code"] = "10000", ["msg"] = "Success" };
        foreach ((string name, string value) in fields)
        {
            answer[name] = value;
        }

        return answer;
    }

    private static JsonObject Bad(string code) => new() { ["code"] = "40004", ["msg"] = "Business Failed", ["sub_code"] = code, ["sub_msg"] = "because" };

    private JsonObject Carry(string method, JsonObject content)
    {
        string? number = (string?)content["out_trade_no"];
        FakeOrder? order = number is null ? Orders.Values.FirstOrDefault(o => o.Transaction == (string?)content["trade_no"]) : Orders.GetValueOrDefault(number);
        switch (method)
        {
            case "alipay.trade.precreate" when order is { State: "paid" }:
                return Bad("ACQ.TRADE_HAS_SUCCESS");
            case "alipay.trade.precreate":
                Orders.TryAdd(number!, new FakeOrder(number!, (long)(decimal.Parse((string)content["total_amount"]!, System.Globalization.CultureInfo.InvariantCulture) * 100)));
                return Good(("out_trade_no", number!), ("qr_code", "https://qr.alipay.test/" + number));
            case "alipay.data.dataservice.bill.downloadurl.query":
                return Good(("bill_download_url", "https://alipay.test/bill"));
            case "alipay.trade.fastpay.refund.query":
                return Refunds.ContainsKey((string)content["out_request_no"]!) ? Good(("refund_status", "REFUND_SUCCESS")) : Good();
            case var _ when order is null:
                return Bad("ACQ.TRADE_NOT_EXIST");
            case "alipay.trade.query":
                return Good(
                    ("out_trade_no", order.Number),
                    ("trade_no", order.Transaction ?? ""),
                    ("total_amount", Yuan(order.Amount)),
                    ("trade_status", order.State switch { "paid" => "TRADE_SUCCESS", "closed" => "TRADE_CLOSED", _ => "WAIT_BUYER_PAY" }));
            case "alipay.trade.close" when order.State == "paid":
                return Bad("ACQ.TRADE_STATUS_ERROR");
            case "alipay.trade.close":
                order.State = "closed";
                return Good(("out_trade_no", order.Number));
            case "alipay.trade.refund":
                return Refund(order, content);
            default:
                return Bad("ISV.INVALID-METHOD");
        }
    }

    private JsonObject Refund(FakeOrder order, JsonObject content)
    {
        string id = (string)content["out_request_no"]!;
        string reason = (string?)content["refund_reason"] ?? "back";
        Require(reason.Length is > 0 and <= 256 && !reason.Contains('\uFFFD', StringComparison.Ordinal), "a reason that is empty, too long or cut inside a character");
        long amount = (long)(decimal.Parse((string)content["refund_amount"]!, System.Globalization.CultureInfo.InvariantCulture) * 100);
        if (Refunds.ContainsKey(id))
        {
            return Good(("fund_change", "N"));
        }

        if (amount > order.Amount - order.Refunded)
        {
            return Bad("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");
        }

        Refunds[id] = amount;
        order.Refunded += amount;
        return Good(("fund_change", "Y"));
    }
}
