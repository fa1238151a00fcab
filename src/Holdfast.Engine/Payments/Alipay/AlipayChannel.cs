using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.Alipay;

/// <summary>Alipay: precreated trades (a QR code), refunds, bills; signed with RSA2 both ways.</summary>
/// <remarks>
/// Source: Alipay's open platform documentation ("异步通知", "签名"). Settings: <c>appId</c>, <c>publicKey</c>, <c>sellerId</c>;
/// with <c>privateKey</c> (and <c>notifyUrl</c>) it also calls.
/// </remarks>
internal sealed partial class AlipayChannel : IPaymentChannel
{
    private const int ReasonMax = 200;

    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string? _appId;
    private readonly string? _sellerId;
    private readonly RSA _publicKey;
    private readonly RSA? _privateKey;
    private readonly string? _notifyUrl;
    private readonly Uri _address;
    private readonly HttpMessageInvoker _http;
    private readonly TimeProvider _time;

    static AlipayChannel() => Encoding.RegisterProvider(CodePagesEncodingProvider.Instance); // GBK

    public AlipayChannel(ChannelConfig config, HttpMessageInvoker http, TimeProvider time)
    {
        config.Known("appId", "publicKey", "sellerId", "privateKey", "notifyUrl", "address");
        Name = config.Channel;
        _appId = config.Text("appId");
        _sellerId = config.Text("sellerId");
        _publicKey = config.PublicKey("publicKey", config.Required("publicKey"));
        _privateKey = config.PrivateKey("privateKey");
        _notifyUrl = config.Link("notifyUrl");
        string address = config.Text("address") ?? "https://openapi.alipay.com/gateway.do";
        _address = Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? uri : throw config.Wrong("address must be an http or https address");
        _http = http;
        _time = time;
        if (_privateKey is not null && _appId is null)
        {
            throw config.Wrong("with privateKey, appId is needed too");
        }
    }

    public string Name { get; }

    public bool MakesCalls => _privateKey is not null;

    public string? Problem(string checkout, long amount, string currency) =>
        currency != AlipayNotice.Currency ? "Alipay takes CNY"
        : amount > 10_000_000_000 ? "Alipay takes at most 100000000 yuan a payment"
        : OrderNumber().IsMatch(checkout) ? null : "Alipay takes ids of up to 64 letters, digits, _ -";

    public CallbackVerdict Verify(CallbackRequest request, DateTimeOffset now)
    {
        if (AlipayForm.Parse(request.Body.Span) is not { } form)
        {
            return CallbackVerdict.Refused(Refusals.MalformedBody);
        }

        if (form.Text("sign") is not { } sign)
        {
            return CallbackVerdict.Refused(Refusals.SignatureMissing);
        }

        if ((form.Text("sign_type") ?? "RSA2") != "RSA2")
        {
            return CallbackVerdict.Refused(Refusals.UnsupportedSignatureType);
        }

        if (!Base64.TryDecode(sign, out byte[] signature))
        {
            return CallbackVerdict.Refused(Refusals.SignatureMalformed);
        }

        if (!_publicKey.VerifyData(form.SignedBytes(), signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
        {
            return CallbackVerdict.Refused(Refusals.SignatureMismatch);
        }

        if (_appId is not null && form.Text("app_id") != _appId)
        {
            return CallbackVerdict.Refused(Refusals.AppMismatch);
        }

        if (_sellerId is not null && form.Text("seller_id") != _sellerId)
        {
            return CallbackVerdict.Refused(Refusals.SellerMismatch);
        }

        return CallbackVerdict.Genuine(AlipayNotice.Read(Name, form, request.Body), Content(form));
    }

    public PaymentNotice? Reread(string space, string eventId, ReadOnlyMemory<byte> body) =>
        AlipayForm.Parse(body.Span) is { } form ? AlipayNotice.Read(Name, form, body) : null;

    public CallbackReply Reply(CallbackOutcome outcome) => outcome switch
    {
        CallbackOutcome.Taken => new CallbackReply(200, "text/plain", "success"),
        CallbackOutcome.Refused => new CallbackReply(401, "text/plain", "fail"),
        _ => new CallbackReply(503, "text/plain", "fail"),
    };

    public async Task<PaymentResult> CreateAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        Answer answer = await SendAsync(
            "alipay.trade.precreate",
            new JsonObject
            {
                ["out_trade_no"] = order.Checkout,
                ["total_amount"] = Yuan.FromMinor(order.Amount),
                ["subject"] = order.Checkout,
                ["time_expire"] = Beijing(order.ExpiresAt),
            },
            cancellationToken,
            NotifyUrl.Of(_notifyUrl, Name, order.Space));
        if (answer.IsGood && JsonFacts.NamesAnother(answer.Body, "out_trade_no", order.Checkout))
        {
            return AnotherOrder;
        }

        return answer.IsGood && JsonFacts.Text(answer.Body, "qr_code") is { } url
            ? new PaymentResult(PaymentOutcome.Opened, "10000") { PayUrl = url }
            : await ErrorAsync(order, answer, cancellationToken);
    }

    public async Task<PaymentResult> QueryAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        Answer answer = await SendAsync("alipay.trade.query", new JsonObject { ["out_trade_no"] = order.Checkout }, cancellationToken);
        if (!answer.IsGood)
        {
            return OfError(answer);
        }

        if (JsonFacts.Text(answer.Body, "out_trade_no") != order.Checkout)
        {
            return AnotherOrder;
        }

        string status = JsonFacts.Text(answer.Body, "trade_status") ?? "";
        string? amount = JsonFacts.Text(answer.Body, "total_amount");
        string? transaction = JsonFacts.Id(answer.Body, "trade_no");
        return AlipayNotice.Kind(status, amount, transaction) switch
        {
            NoticeKind.Paid => new PaymentResult(PaymentOutcome.Paid, status)
            {
                Notice = new PaymentNotice
                {
                    Channel = Name,
                    Kind = NoticeKind.Paid,
                    Checkout = order.Checkout,
                    Transaction = transaction,
                    Amount = Yuan.ToMinor(amount)!.Value,
                    Currency = AlipayNotice.Currency,
                    Type = status,
                },
            },
            NoticeKind.Closed => new PaymentResult(PaymentOutcome.Closed, status),
            NoticeKind.Pending => new PaymentResult(PaymentOutcome.Pending, status),
            _ => new PaymentResult(PaymentOutcome.Unknown, "an answer without a trade_status that is known, or of a payment without its id or amount"),
        };
    }

    public async Task<PaymentResult> CloseAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        Answer answer = await SendAsync("alipay.trade.close", new JsonObject { ["out_trade_no"] = order.Checkout }, cancellationToken);
        if (answer.IsGood)
        {
            return JsonFacts.NamesAnother(answer.Body, "out_trade_no", order.Checkout) ? AnotherOrder : new PaymentResult(PaymentOutcome.Closed, "10000");
        }

        return await ErrorAsync(order, answer, cancellationToken);
    }

    public async Task<PaymentResult> RefundAsync(RefundOrder refund, CancellationToken cancellationToken)
    {
        var content = new JsonObject
        {
            ["trade_no"] = refund.Transaction,
            ["refund_amount"] = Yuan.FromMinor(refund.Amount),
            ["out_request_no"] = refund.Id,
        };
        if (refund.Reason.Length > 0)
        {
            content["refund_reason"] = Cut(refund.Reason);
        }

        Answer answer = await SendAsync("alipay.trade.refund", content, cancellationToken);
        if (!answer.IsGood)
        {
            return OfError(answer);
        }

        if (JsonFacts.NamesAnother(answer.Body, "trade_no", refund.Transaction))
        {
            return AnotherOrder;
        }

        if (JsonFacts.Text(answer.Body, "fund_change") == "Y")
        {
            return new PaymentResult(PaymentOutcome.Refunded, "10000");
        }

        // fund_change N is no failure: the same request again, or money that moves later. Only the query tells, and it was accepted whatever the query tells now.
        PaymentResult asked = await QueryRefundAsync(refund, cancellationToken);
        return asked.Outcome is PaymentOutcome.Refunded or PaymentOutcome.Unknown ? asked
            : new PaymentResult(PaymentOutcome.Pending, "accepted; its query: " + asked.Text);
    }

    public async Task<PaymentResult> QueryRefundAsync(RefundOrder refund, CancellationToken cancellationToken)
    {
        Answer answer = await SendAsync(
            "alipay.trade.fastpay.refund.query",
            new JsonObject { ["trade_no"] = refund.Transaction, ["out_request_no"] = refund.Id },
            cancellationToken);
        if (!answer.IsGood)
        {
            return ProviderHttp.OfRefusedQuestion(OfError(answer));
        }

        if (JsonFacts.NamesAnother(answer.Body, "trade_no", refund.Transaction) || JsonFacts.NamesAnother(answer.Body, "out_request_no", refund.Id))
        {
            return AnotherOrder;
        }

        return JsonFacts.Text(answer.Body, "refund_status") switch
        {
            "REFUND_SUCCESS" => new PaymentResult(PaymentOutcome.Refunded, "REFUND_SUCCESS"),
            null => new PaymentResult(PaymentOutcome.NotFound, "no such refund"),
            { } status => new PaymentResult(PaymentOutcome.Pending, status),
        };
    }

    /// <summary>The trade bill of a day (Beijing time): a ZIP of GBK tables.</summary>
    public async Task<Stream> DownloadBillAsync(DateOnly day, CancellationToken cancellationToken)
    {
        string date = day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        Answer answer = await SendAsync("alipay.data.dataservice.bill.downloadurl.query", new JsonObject { ["bill_type"] = "trade", ["bill_date"] = date }, cancellationToken);
        if (JsonFacts.Text(answer.Body, "bill_download_url") is not { } url)
        {
            throw new PaymentChannelException($"Alipay gives no bill of {date}: {OfError(answer).Text}");
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        return await ProviderHttp.DownloadAsync(_http, request, cancellationToken);
    }

    /// <summary>Genuine, and still not the answer to what was asked.</summary>
    private static PaymentResult AnotherOrder => new(PaymentOutcome.Unknown, "an answer about another order");

    /// <summary>A character that takes two places is not cut in two.</summary>
    private static string Cut(string reason) =>
        reason.Length <= ReasonMax ? reason : reason[..(char.IsHighSurrogate(reason[ReasonMax - 1]) ? ReasonMax - 1 : ReasonMax)];

    private static string Beijing(DateTimeOffset time) => time.ToOffset(TimeSpan.FromHours(8)).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static PaymentResult OfError(Answer answer)
    {
        PaymentOutcome outcome = answer.SubCode switch
        {
            "ACQ.TRADE_NOT_EXIST" => PaymentOutcome.NotFound,
            "ACQ.TRADE_HAS_CLOSE" => PaymentOutcome.Closed,
            "ACQ.SELLER_BALANCE_NOT_ENOUGH" or "ACQ.SYSTEM_ERROR" or "aop.ACQ.SYSTEM_ERROR" => PaymentOutcome.Unknown,
            { } code when answer.Code == "40004" && code.StartsWith("ACQ.", StringComparison.Ordinal) => PaymentOutcome.Refused,
            _ => PaymentOutcome.Unknown,
        };
        return new PaymentResult(outcome, answer.Text);
    }

    /// <summary>Not to be opened or closed: paid meanwhile, or closed before. Its state says which.</summary>
    private async Task<PaymentResult> ErrorAsync(PaymentOrder order, Answer answer, CancellationToken cancellationToken) =>
        answer.SubCode is "ACQ.TRADE_HAS_SUCCESS" or "ACQ.TRADE_STATUS_ERROR" or "ACQ.REASON_TRADE_STATUS_INVALID" ? await QueryAsync(order, cancellationToken) : OfError(answer);

    /// <summary>The fields as text in the charset that the form declares.</summary>
    private static JsonObject Content(AlipayForm form)
    {
        var content = new JsonObject();
        foreach ((string name, string value) in form.Texts(Charset(form.Text("charset"))))
        {
            if (name != "sign")
            {
                content[name] = value;
            }
        }

        return content;
    }

    private static Encoding Charset(string? name)
    {
        try
        {
            return name is null ? Encoding.UTF8 : Encoding.GetEncoding(name);
        }
        catch (ArgumentException)
        {
            return Encoding.UTF8; // only what people read depends on it
        }
    }

    private async Task<Answer> SendAsync(string method, JsonObject content, CancellationToken cancellationToken, string? notifyUrl = null)
    {
        var fields = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["app_id"] = _appId!,
            ["method"] = method,
            ["format"] = "JSON",
            ["charset"] = "utf-8",
            ["sign_type"] = "RSA2",
            ["timestamp"] = Beijing(_time.GetUtcNow()),
            ["version"] = "1.0",
            ["biz_content"] = content.ToJsonString(Plain),
        };
        if (notifyUrl is not null)
        {
            fields["notify_url"] = notifyUrl;
        }

        // Requests are signed with sign_type among the fields; notifications without.
        byte[] signed = Encoding.UTF8.GetBytes(string.Join('&', fields.Select(f => f.Key + "=" + f.Value)));
        fields["sign"] = Convert.ToBase64String(_privateKey!.SignData(signed, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_address + "?charset=utf-8")) { Content = new FormUrlEncodedContent(fields) };
        ProviderAnswer answer = await ProviderHttp.SendAsync(_http, request, cancellationToken);
        return Read(method, answer);
    }

    /// <summary>The signature is over the response member's bytes as they stand in the answer.</summary>
    private Answer Read(string method, ProviderAnswer answer)
    {
        string member = method.Replace('.', '_') + "_response";
        try
        {
            using JsonDocument document = JsonDocument.Parse(answer.Body);
            JsonElement root = document.RootElement;
            if (root.TryGetProperty(member, out JsonElement response)
                && root.TryGetProperty("sign", out JsonElement sign) && Base64.TryDecode(sign.GetString() ?? "", out byte[] signature)
                && _publicKey.VerifyData(Encoding.UTF8.GetBytes(response.GetRawText()), signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
            {
                return new Answer(JsonFacts.ParseObject(Encoding.UTF8.GetBytes(response.GetRawText())), $"{answer.Status}");
            }

            return new Answer(null, $"{answer.Status}, and the answer's signature is missing or wrong");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new Answer(null, $"{answer.Status}, and the answer is not JSON");
        }
    }

    private sealed record Answer(JsonObject? Body, string Words)
    {
        public string? Code => JsonFacts.Text(Body, "code");

        public string? SubCode => JsonFacts.Text(Body, "sub_code");

        public bool IsGood => Code == "10000";

        public string Text => Body is null ? Words : $"{Code} {SubCode} {JsonFacts.Text(Body, "sub_msg")}".Trim();
    }

    [GeneratedRegex(@"^[0-9A-Za-z_\-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex OrderNumber();
}
