using System.Globalization;
using System.Net.Http.Headers;
using Holdfast.Engine.Effects;

namespace Holdfast.Server.Outlets;

/// <summary>Posts Standard Webhooks. A 2xx takes it; a redirect is a failure, as the specification says.</summary>
internal sealed class WebhookSink(Uri url, IReadOnlyList<SigningKey> keys, TimeProvider time) : IOutletSink
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, MaxConnectionsPerServer = 8, ActivityHeadersPropagator = null }) { Timeout = Timeout };

    public int AtOnce => 8;

    public async Task<Delivery> SendAsync(DueMessage message, CancellationToken cancellationToken)
    {
        try
        {
            long timestamp = time.GetUtcNow().ToUnixTimeSeconds();
            using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(message.Body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.TryAddWithoutValidation("webhook-id", message.Id);
            request.Headers.TryAddWithoutValidation("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
            request.Headers.TryAddWithoutValidation("webhook-signature", string.Join(' ', keys.Select(k => k.Sign(message.Id, timestamp, message.Body))));
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            int status = (int)response.StatusCode;
            return new Delivery(status is >= 200 and < 300, status.ToString(CultureInfo.InvariantCulture)) { Gone = status == 410, SlowDown = status is 429 or 502 or 504 };
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return new Delivery(false, e is OperationCanceledException ? "no answer in time" : "no connection");
        }
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }
}
