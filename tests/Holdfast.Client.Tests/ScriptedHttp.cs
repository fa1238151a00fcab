using System.Collections.Concurrent;
using System.Net;
using System.Text;

namespace Holdfast.Client.Tests;

internal sealed record SentRequest(string Method, string Address, string? Authorization, string? Body);

/// <summary>Stands where the network would be and answers from a script.</summary>
internal sealed class ScriptedHttp(params Func<HttpResponseMessage>[] script) : HttpMessageHandler
{
    private readonly ConcurrentQueue<Func<HttpResponseMessage>> _script = new(script);

    public ConcurrentQueue<SentRequest> Sent { get; } = new();

    public HttpHoldfastClient Client(Action<HoldfastClientOptions>? configure = null)
    {
        var options = new HoldfastClientOptions
        {
            HttpAddress = new Uri("http://shop.test/core"),
            Retry = { BaseDelay = TimeSpan.FromMilliseconds(1) },
        };
        configure?.Invoke(options);
        return new HttpHoldfastClient(new HttpClient(this, disposeHandler: false), options);
    }

    public static Func<HttpResponseMessage> Json(int status, string body, string type = "application/json") => () =>
        new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(body, Encoding.UTF8, type) };

    public static Func<HttpResponseMessage> Problem(int status, string body) => Json(status, body, "application/problem+json");

    public static Func<HttpResponseMessage> RetryLater(int status, string retryAfter) => () =>
        new HttpResponseMessage((HttpStatusCode)status) { Headers = { { "Retry-After", retryAfter } } };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = request.Content is null ? null : await request.Content.ReadAsStringAsync(cancellationToken);
        Sent.Enqueue(new SentRequest(request.Method.Method, request.RequestUri!.AbsoluteUri, request.Headers.Authorization?.ToString(), body));
        return _script.TryDequeue(out var next) ? next() : throw new HttpRequestException(HttpRequestError.ConnectionError, "script over");
    }
}
