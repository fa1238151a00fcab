using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Holdfast.Kernel;

namespace Holdfast.Engine.Effects;

/// <summary>Makes one call: headers, signature, timeout; and reads the outcome off the status.</summary>
internal sealed class CallSender(HttpMessageInvoker http, EffectOptions options, TimeProvider time, Func<ulong> random)
{
    private const int TextBytesMax = 4096;
    private const int TextLengthMax = 120;

    private static readonly TimeSpan TextTimeout = TimeSpan.FromSeconds(1);
    private static readonly ActivitySource Source = new("Holdfast.Effects");
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    public async ValueTask<CallResult> SendAsync(string space, DueCall call, CancellationToken stopping)
    {
        TimeSpan timeout = call.Call.TimeoutMs > 0 ? TimeSpan.FromMilliseconds(call.Call.TimeoutMs) : options.Timeout;
        using var late = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stopping);
        using Activity? activity = Activity(call);
        try
        {
            using HttpRequestMessage request = Request(space, call, activity);
            using HttpResponseMessage response = await http.SendAsync(request, either.Token);
            int status = (int)response.StatusCode;
            activity?.SetTag("http.response.status_code", status);
            CallOutcome outcome = status switch
            {
                >= 200 and < 300 => CallOutcome.Done,
                (int)HttpStatusCode.Conflict => CallOutcome.Refused,
                425 => CallOutcome.Later,
                _ => CallOutcome.Unknown,
            };
            string text = status.ToString(CultureInfo.InvariantCulture);
            return Result(
                call,
                outcome,
                outcome == CallOutcome.Done ? text : (text + " " + await FirstLineAsync(response, stopping)).TrimEnd(),
                hostFails: status is 502 or 503 or 504);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            return Result(call, CallOutcome.Unknown, string.Create(CultureInfo.InvariantCulture, $"timeout after {timeout.TotalSeconds:0.###} s"), hostFails: true);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            // The handler gave up connecting before the call's own time was over.
            return Result(call, CallOutcome.Unknown, "no connection", hostFails: true);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return Result(call, CallOutcome.Unknown, Words(e), hostFails: true);
        }
    }

    /// <summary>A call that was never sent.</summary>
    public CallResult NotSent(DueCall call, string why) => Result(call, CallOutcome.Unknown, "not sent: " + why, hostFails: false);

    private CallResult Result(DueCall call, CallOutcome outcome, string text, bool hostFails) =>
        new(outcome, text, outcome == CallOutcome.Unknown ? RetryMs(call.Failures) : 0) { HostFails = hostFails };

    /// <summary>Full jitter: anything from nothing to the doubled base, so that many calls that failed together don't come back together.</summary>
    private long RetryMs(int failures)
    {
        const long least = 10;
        double most = Math.Min(options.BackoffMax.TotalMilliseconds, options.BackoffBase.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 30)));
        double share = (random() >> 11) * (1.0 / (1UL << 53));
        return Math.Max(least, (long)(share * most));
    }

    private HttpRequestMessage Request(string space, DueCall call, Activity? activity)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, call.Call.Url);
        ReadOnlyMemory<byte> body = call.Call.Body;
        request.Content = new ReadOnlyMemoryContent(body);
        if (!body.IsEmpty)
        {
            request.Content.Headers.ContentType = Json;
        }

        foreach ((string name, string value) in call.Call.Headers)
        {
            // A header of the content replaces ours; every other goes to the request.
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content.Headers.Remove(name);
                request.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        Add(request, "Holdfast-Transaction", Header(call.Transaction));
        if (space != SpaceHost.DefaultName)
        {
            Add(request, "Holdfast-Space", space);
        }

        Add(request, "Holdfast-Branch", Header(call.Branch));
        Add(request, "Holdfast-Op", call.Op.Text());
        Add(request, "Holdfast-Attempt", Number(call.Attempt));
        Add(request, "Holdfast-Begun", Number(call.BegunMs));
        Add(request, "Holdfast-Watermark", Number(call.WatermarkMs));
        Add(request, "traceparent", activity?.Id ?? TraceParent(call.Trace));
        if (options.SigningKeys.Count > 0)
        {
            string id = $"{Uri.EscapeDataString(space)}/{Uri.EscapeDataString(call.Transaction)}/{Uri.EscapeDataString(call.Branch)}/{call.Op.Text()}";
            long timestamp = time.GetUtcNow().ToUnixTimeSeconds();
            Add(request, "webhook-id", id);
            Add(request, "webhook-timestamp", Number(timestamp));
            Add(request, "webhook-signature", string.Join(' ', options.SigningKeys.Select(key => key.Sign(id, timestamp, body.Span))));

            // Apart, since Standard Webhooks sign id, time and body only: a participant forgets by the watermark.
            byte[] watermark = Encoding.ASCII.GetBytes(Number(call.WatermarkMs));
            Add(request, "Holdfast-Watermark-Signature", string.Join(' ', options.SigningKeys.Select(key => key.Sign("watermark\n" + id, timestamp, watermark))));
        }

        return request;
    }

    private static void Add(HttpRequestMessage request, string name, string value) => request.Headers.TryAddWithoutValidation(name, value);

    /// <summary>Ids are any UTF-8; a header is not. What isn't plain is percent-encoded, and so is the percent sign.</summary>
    private static string Header(string id)
    {
        foreach (char c in id)
        {
            if (c is <= ' ' or > '~' or '%')
            {
                return Uri.EscapeDataString(id);
            }
        }

        return id;
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static Activity? Activity(DueCall call)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        ActivityContext parent = ActivityContext.TryParse(call.Trace, null, isRemote: true, out ActivityContext theirs) ? theirs : default;
        Activity? activity = Source.StartActivity("call " + call.Op.Text(), ActivityKind.Client, parent);
        activity?.SetTag("holdfast.transaction", call.Transaction);
        activity?.SetTag("holdfast.branch", call.Branch);
        activity?.SetTag("url.full", call.Call.Url);
        return activity;
    }

    /// <summary>A child of the caller's trace, or a trace of its own.</summary>
    private string TraceParent(string? trace) => ActivityContext.TryParse(trace, null, out ActivityContext parent)
        ? $"00-{parent.TraceId}-{random() | 1:x16}-{(byte)parent.TraceFlags:x2}"
        : $"00-{random() | 1:x16}{random():x16}-{random() | 1:x16}-00";

    private static string Words(Exception e) => e is HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } known
        ? known.HttpRequestError switch
        {
            HttpRequestError.ConnectionError => "no connection",
            HttpRequestError.NameResolutionError => "the host's name is not known",
            HttpRequestError.SecureConnectionError => "no secure connection",
            HttpRequestError.ResponseEnded => "the connection ended before the answer",
            { } other => other.ToString(),
        }
        : "the connection broke";

    /// <summary>The body's first line, or what came of it: words for people, so one that stalls or breaks off takes nothing from the status.</summary>
    private async Task<string> FirstLineAsync(HttpResponseMessage response, CancellationToken stopping)
    {
        using var late = new CancellationTokenSource(TextTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stopping);
        byte[] bytes = new byte[TextBytesMax];
        int length = 0;
        try
        {
            await using Stream body = await response.Content.ReadAsStreamAsync(either.Token);
            int read;
            do
            {
                read = await body.ReadAsync(bytes.AsMemory(length), either.Token);
                length += read;
            }
            while (read > 0 && length < bytes.Length);
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException or IOException)
        {
            // What came is enough.
        }

        var line = new StringBuilder();
        foreach (char c in Encoding.UTF8.GetString(bytes, 0, length).TrimStart())
        {
            if (c is '\r' or '\n' || line.Length == TextLengthMax)
            {
                break;
            }

            if (!char.IsControl(c))
            {
                line.Append(c);
            }
        }

        return line.ToString();
    }
}
