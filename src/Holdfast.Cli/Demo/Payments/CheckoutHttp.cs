using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Holdfast.Cli.Demo.Payments;

/// <summary>Calls on checkouts, asked again with the same id while the server is away.</summary>
internal sealed class CheckoutHttp(Uri server) : IDisposable
{
    private const int AttemptsMax = 400;

    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 256, ActivityHeadersPropagator = null })
    {
        BaseAddress = server,
        Timeout = TimeSpan.FromSeconds(30),
    };

    /// <summary>The status and the body of the first answer that is one.</summary>
    public async Task<(HttpStatusCode Status, JsonObject Body)> SendAsync(HttpMethod method, string path, JsonObject? body, string? prefer, CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                using var request = new HttpRequestMessage(method, path);
                request.Content = body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
                if (prefer is not null)
                {
                    request.Headers.TryAddWithoutValidation("Prefer", prefer);
                }

                using HttpResponseMessage response = await _http.SendAsync(request, cancellationToken);
                if (response.StatusCode is not (HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests))
                {
                    return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken))!.AsObject());
                }
            }
            catch (Exception e) when (attempt < AttemptsMax && (e is HttpRequestException or IOException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested)))
            {
                // The server is away, or it broke off: whether it was done is found out by asking again.
            }

            await Task.Delay(Math.Min(500, 20 * (attempt + 1)), cancellationToken);
        }
    }

    /// <summary>Every checkout in a state; empty: all.</summary>
    public async Task<List<JsonObject>> ListAsync(string path, CancellationToken cancellationToken)
    {
        var all = new List<JsonObject>();
        string? next = null;
        do
        {
            string page = path + (path.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "limit=1000" + (next is null ? "" : "&after=" + Uri.EscapeDataString(next));
            (_, JsonObject body) = await SendAsync(HttpMethod.Get, page, null, null, cancellationToken);
            all.AddRange(body["items"]!.AsArray().Select(i => i!.AsObject()));
            next = (string?)body["next"];
        }
        while (next is not null);
        return all;
    }

    /// <summary>The shopper pays at the provider.</summary>
    public async Task PayAsync(string payUrl, CancellationToken cancellationToken)
    {
        try
        {
            using HttpResponseMessage response = await _http.PostAsync(new Uri(payUrl), null, cancellationToken);
        }
        catch (HttpRequestException)
        {
            // The page didn't load; the shopper gives up.
        }
    }

    public void Dispose() => _http.Dispose();
}
