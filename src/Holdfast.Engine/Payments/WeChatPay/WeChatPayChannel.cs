using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.WeChatPay;

/// <summary>WeChat Pay, APIv3: Native orders (a code URL), refunds, trade bills.</summary>
/// <remarks>
/// Source: WeChat Pay's APIv3 documentation. Settings: <c>apiV3Key</c>, <c>platformKeys</c>, <c>toleranceSeconds</c>; with
/// <c>appId</c>, <c>merchantId</c>, <c>merchantSerial</c>, <c>merchantKey</c> and <c>notifyUrl</c> it also calls.
/// </remarks>
internal sealed partial class WeChatPayChannel : IPaymentChannel
{
    private const string Offset = "+08:00";
    private const int ReasonBytesMax = 80;

    private readonly byte[] _apiV3Key;
    private readonly IReadOnlyDictionary<string, RSA> _platformKeys;
    private readonly TimeSpan _tolerance;
    private readonly string? _appId;
    private readonly string? _merchant;
    private readonly string? _merchantSerial;
    private readonly string? _notifyUrl;
    private readonly RSA? _merchantKey;
    private readonly Uri _address;
    private readonly HttpMessageInvoker _http;
    private readonly TimeProvider _time;
    private readonly Func<ulong> _random;

    public WeChatPayChannel(ChannelConfig config, HttpMessageInvoker http, TimeProvider time, Func<ulong> random)
    {
        config.Known("apiV3Key", "platformKeys", "toleranceSeconds", "appId", "merchantId", "merchantSerial", "merchantKey", "notifyUrl", "address");
        Name = config.Channel;
        _apiV3Key = Encoding.UTF8.GetBytes(config.Required("apiV3Key"));
        if (_apiV3Key.Length is not (16 or 24 or 32))
        {
            throw config.Wrong("apiV3Key must have 32 bytes");
        }

        _platformKeys = config.Keys("platformKeys");
        _tolerance = config.Tolerance();
        _merchantKey = config.PrivateKey("merchantKey");
        _appId = config.Text("appId");
        _merchant = config.Text("merchantId");
        _merchantSerial = config.Text("merchantSerial");
        _notifyUrl = config.Link("notifyUrl");
        _address = config.Address("address", "https://api.mch.weixin.qq.com/");
        _http = http;
        _time = time;
        _random = random;
        if (_merchantKey is not null && (_appId is null || _merchant is null || _merchantSerial is null || _notifyUrl is null))
        {
            throw config.Wrong("with merchantKey, appId, merchantId, merchantSerial and notifyUrl are needed too");
        }
    }

    public string Name { get; }

    public bool MakesCalls => _merchantKey is not null;

    public string? Problem(string checkout, long amount, string currency) =>
        currency != "CNY" ? "WeChat Pay takes CNY"
        : OrderNumber().IsMatch(checkout) ? null : "WeChat Pay takes ids of 6 to 32 letters, digits, _ - | *";

    public CallbackVerdict Verify(CallbackRequest request, DateTimeOffset now)
    {
        if (WeChatPaySignature.Refusal(request.Header, request.Body.Span, _platformKeys, _tolerance, now) is { } refusal)
        {
            return CallbackVerdict.Refused(refusal);
        }

        JsonObject? envelope = JsonFacts.ParseObject(request.Body.Span);
        if (JsonFacts.Object(envelope, "resource") is not { } resource)
        {
            return CallbackVerdict.Refused(Refusals.MalformedBody);
        }

        if (WeChatPaySignature.Decrypt(resource, _apiV3Key) is not { } plain)
        {
            return CallbackVerdict.Refused(Refusals.DecryptionFailed);
        }

        JsonObject? content = JsonFacts.ParseObject(plain);
        return CallbackVerdict.Genuine(WeChatPayNotice.Read(Name, envelope, content, request.Body), content);
    }

    public PaymentNotice? Reread(string space, string eventId, ReadOnlyMemory<byte> body)
    {
        JsonObject? envelope = JsonFacts.ParseObject(body.Span);
        return JsonFacts.Object(envelope, "resource") is { } resource && WeChatPaySignature.Decrypt(resource, _apiV3Key) is { } plain
            ? WeChatPayNotice.Read(Name, envelope, JsonFacts.ParseObject(plain), body)
            : null;
    }

    public CallbackReply Reply(CallbackOutcome outcome) => outcome switch
    {
        CallbackOutcome.Taken => new CallbackReply(204),
        CallbackOutcome.Refused => new CallbackReply(401, "application/json", "{\"code\":\"FAIL\",\"message\":\"signature\"}"),
        _ => new CallbackReply(503, "application/json", "{\"code\":\"FAIL\",\"message\":\"later\"}"),
    };

    public async Task<PaymentResult> CreateAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        var body = new JsonObject
        {
            ["appid"] = _appId,
            ["mchid"] = _merchant,
            ["description"] = order.Checkout,
            ["out_trade_no"] = order.Checkout,
            ["time_expire"] = order.ExpiresAt.ToOffset(TimeSpan.FromHours(8)).ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture) + Offset,
            ["notify_url"] = NotifyUrl.Of(_notifyUrl, Name, order.Space),
            ["amount"] = new JsonObject { ["total"] = order.Amount, ["currency"] = order.Currency },
        };
        (int status, JsonObject? answer) = await SendAsync(HttpMethod.Post, "v3/pay/transactions/native", body, cancellationToken);
        return status == 200 && JsonFacts.Text(answer, "code_url") is { } url
            ? new PaymentResult(PaymentOutcome.Opened, "200") { PayUrl = url }
            : await ErrorAsync(order, status, answer, cancellationToken);
    }

    public async Task<PaymentResult> QueryAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        (int status, JsonObject? answer) = await SendAsync(
            HttpMethod.Get, $"v3/pay/transactions/out-trade-no/{Uri.EscapeDataString(order.Checkout)}?mchid={_merchant}", null, cancellationToken);
        return status == 200 ? OfTransaction(order, answer) : OfError(status, answer);
    }

    public async Task<PaymentResult> CloseAsync(PaymentOrder order, CancellationToken cancellationToken)
    {
        (int status, JsonObject? answer) = await SendAsync(
            HttpMethod.Post,
            $"v3/pay/transactions/out-trade-no/{Uri.EscapeDataString(order.Checkout)}/close",
            new JsonObject { ["mchid"] = _merchant },
            cancellationToken);
        return status == 204 ? new PaymentResult(PaymentOutcome.Closed, "204") : await ErrorAsync(order, status, answer, cancellationToken);
    }

    public async Task<PaymentResult> RefundAsync(RefundOrder refund, CancellationToken cancellationToken)
    {
        var body = new JsonObject
        {
            ["transaction_id"] = refund.Transaction,
            ["out_refund_no"] = refund.Id,
            ["notify_url"] = NotifyUrl.Of(_notifyUrl, Name, refund.Order.Space),
            ["amount"] = new JsonObject { ["refund"] = refund.Amount, ["total"] = refund.PaidAmount, ["currency"] = refund.Order.Currency },
        };
        if (refund.Reason.Length > 0)
        {
            body["reason"] = Cut(refund.Reason);
        }

        (int status, JsonObject? answer) = await SendAsync(HttpMethod.Post, "v3/refund/domestic/refunds", body, cancellationToken);
        return status == 200 ? OfRefund(refund, answer) : OfError(status, answer);
    }

    public async Task<PaymentResult> QueryRefundAsync(RefundOrder refund, CancellationToken cancellationToken)
    {
        (int status, JsonObject? answer) = await SendAsync(HttpMethod.Get, "v3/refund/domestic/refunds/" + Uri.EscapeDataString(refund.Id), null, cancellationToken);
        return status == 200 ? OfRefund(refund, answer) : ProviderHttp.OfRefusedQuestion(OfError(status, answer));
    }

    /// <summary>The trade bill ALL of a day (Beijing time), checked against the SHA-1 that the provider names.</summary>
    public async Task<Stream> DownloadBillAsync(DateOnly day, CancellationToken cancellationToken)
    {
        string date = day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        (int status, JsonObject? answer) = await SendAsync(HttpMethod.Get, $"v3/bill/tradebill?bill_date={date}&bill_type=ALL", null, cancellationToken);
        if (JsonFacts.Text(answer, "download_url") is not { } url)
        {
            throw new PaymentChannelException($"WeChat Pay gives no bill of {date}: {OfError(status, answer).Text}");
        }

        using HttpRequestMessage request = Signed(HttpMethod.Get, new Uri(url), "");
        await using Stream download = await ProviderHttp.DownloadAsync(_http, request, cancellationToken);
        var bill = new MemoryStream();
        await download.CopyToAsync(bill, cancellationToken);
#pragma warning disable CA5350 // the provider's choice; it guards against a broken download, not against an attacker
        string hash = Convert.ToHexStringLower(SHA1.HashData(bill.GetBuffer().AsSpan(0, (int)bill.Length)));
#pragma warning restore CA5350
        bill.Position = 0;
        return string.Equals(hash, JsonFacts.Text(answer, "hash_value"), StringComparison.OrdinalIgnoreCase)
            ? bill
            : throw new PaymentChannelException($"WeChat Pay's bill of {date} arrived broken: its SHA-1 differs");
    }

    /// <summary>WeChat Pay counts bytes. A character is not cut in two.</summary>
    private static string Cut(string reason)
    {
        int bytes = 0;
        int length = 0;
        foreach (Rune rune in reason.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > ReasonBytesMax)
            {
                break;
            }

            length += rune.Utf16SequenceLength;
        }

        return reason[..length];
    }

    private static PaymentResult OfRefund(RefundOrder asked, JsonObject? refund)
    {
        if (JsonFacts.NamesAnother(refund, "out_refund_no", asked.Id))
        {
            return new PaymentResult(PaymentOutcome.Unknown, "an answer about another refund");
        }

        string status = JsonFacts.Text(refund, "status") ?? "";
        PaymentOutcome outcome = status switch
        {
            "SUCCESS" => PaymentOutcome.Refunded,
            "PROCESSING" => PaymentOutcome.Pending,
            "CLOSED" or "ABNORMAL" => PaymentOutcome.Refused,
            _ => PaymentOutcome.Unknown,
        };
        return new PaymentResult(outcome, status) { ProviderId = JsonFacts.Text(refund, "refund_id") };
    }

    private static PaymentResult OfError(int status, JsonObject? answer)
    {
        string code = JsonFacts.Text(answer, "code") ?? "";
        PaymentOutcome outcome = code switch
        {
            "ORDER_NOT_EXIST" or "ORDERNOTEXIST" or "RESOURCE_NOT_EXISTS" => PaymentOutcome.NotFound,
            "ORDER_CLOSED" => PaymentOutcome.Closed,
            "PARAM_ERROR" or "INVALID_REQUEST" or "NO_AUTH" or "NOT_ENOUGH" or "USER_ACCOUNT_ABNORMAL" => PaymentOutcome.Refused,
            _ => PaymentOutcome.Unknown, // SYSTEM_ERROR, FREQUENCY_LIMITED, SIGN_ERROR, ACCOUNT...: asked again, or mended by an operator
        };
        return new PaymentResult(outcome, $"{status} {code} {JsonFacts.Text(answer, "message")}".Trim());
    }

    /// <summary>"Already paid" is an answer without the payment: ask for it.</summary>
    private async Task<PaymentResult> ErrorAsync(PaymentOrder order, int status, JsonObject? answer, CancellationToken cancellationToken) =>
        JsonFacts.Text(answer, "code") is "ORDERPAID" or "ORDER_PAID" or "TRADE_STATE_ERROR" ? await QueryAsync(order, cancellationToken) : OfError(status, answer);

    private PaymentResult OfTransaction(PaymentOrder order, JsonObject? transaction)
    {
        if (JsonFacts.Text(transaction, "out_trade_no") != order.Checkout
            || JsonFacts.NamesAnother(transaction, "mchid", _merchant) || JsonFacts.NamesAnother(transaction, "appid", _appId))
        {
            return new PaymentResult(PaymentOutcome.Unknown, "an answer about another order"); // genuine, and still not the one that was asked for
        }

        PaymentNotice notice = WeChatPayNotice.Transaction(new PaymentNotice { Channel = Name, Kind = NoticeKind.Other, Type = "query" }, transaction ?? []);
        string state = JsonFacts.Text(transaction, "trade_state") ?? "";
        return notice.Kind switch
        {
            NoticeKind.Paid => new PaymentResult(PaymentOutcome.Paid, state) { Notice = notice },
            NoticeKind.Closed => new PaymentResult(PaymentOutcome.Closed, state),
            NoticeKind.Pending or NoticeKind.Failed => new PaymentResult(PaymentOutcome.Pending, state),
            // Paid and sent back at the provider, and neither was heard of here: nobody can pay it any more, and there is no payment to keep.
            _ when state == "REFUND" => new PaymentResult(PaymentOutcome.Closed, "REFUND: it was paid, and refunded at the provider"),
            _ => new PaymentResult(PaymentOutcome.Unknown, "an answer without a trade_state that is known, or of a payment without its id or amount"),
        };
    }

    private async Task<(int Status, JsonObject? Body)> SendAsync(HttpMethod method, string path, JsonObject? body, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = Signed(method, new Uri(_address, path), body?.ToJsonString() ?? "");
        ProviderAnswer answer = await ProviderHttp.SendAsync(_http, request, cancellationToken);

        // An answer is as easy to forge as a callback. An error may come unsigned, from a gateway: it is then not believed either.
        string? refusal = WeChatPaySignature.Refusal(name => answer.Headers.GetValueOrDefault(name), answer.Body, _platformKeys, _tolerance, _time.GetUtcNow());
        return refusal is null ? (answer.Status, JsonFacts.ParseObject(answer.Body)) : (0, new JsonObject { ["message"] = $"{answer.Status}, and the answer's signature: {refusal}" });
    }

    private HttpRequestMessage Signed(HttpMethod method, Uri address, string body)
    {
        string timestamp = _time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        string nonce = $"{_random():x16}{_random():x16}";
        var request = new HttpRequestMessage(method, address);
        request.Headers.TryAddWithoutValidation(
            "Authorization",
            WeChatPaySignature.Authorization(_merchant!, _merchantSerial!, _merchantKey!, method.Method, address.PathAndQuery, timestamp, nonce, body));
        if (method == HttpMethod.Post)
        {
            request.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        }

        return request;
    }

    [GeneratedRegex(@"^[0-9A-Za-z_\-|*]{6,32}\z", RegexOptions.CultureInvariant)]
    private static partial Regex OrderNumber();
}
