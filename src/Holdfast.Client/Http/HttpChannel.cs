using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Holdfast.Client.Retries;

namespace Holdfast.Client.Http;

/// <summary>An answer of the server: a body that was asked for, or a refusal.</summary>
internal readonly record struct HttpAnswer<T>(T? Body, Refusal? Refusal)
    where T : class;

/// <summary>A page of a list; <paramref name="Next"/> is the <c>after</c> of the following one, null at the last.</summary>
internal sealed record PageBody<T>(T?[]? Items, string? Next)
    where T : class;

/// <summary>Sends one request as often as it takes, and sorts the answers: done, refused, again, never.</summary>
internal sealed class HttpChannel
{
    // The largest thing is a transaction of 64 branches, each explained with its URL of 2,048 characters and its last answer:
    // somewhat above 1 MiB when all of that needs escapes.
    private const int ThingBytesMax = 2 * 1024 * 1024;

    // A page may hold as many of the largest things; the server's own default.
    private const int PageThings = 100;
    private const int PageBytesMax = PageThings * ThingBytesMax;

    private readonly HttpClient _http;
    private readonly HoldfastClientOptions _options;
    private readonly Backoff _backoff;
    private readonly AuthenticationHeaderValue? _authorization;
    private readonly string _root;

    public HttpChannel(HttpClient http, HoldfastClientOptions options)
    {
        var address = options.HttpAddress ?? http.BaseAddress;
        Rule.Check(address is { IsAbsoluteUri: true }, nameof(HoldfastClientOptions.HttpAddress), "set (or the HttpClient's BaseAddress)");
        _http = http;
        _options = options;
        _backoff = new Backoff(options.Retry, options.Random);
        _authorization = options.ApiKey is { } key ? new AuthenticationHeaderValue("Bearer", key) : null;
        _root = address!.GetLeftPart(UriPartial.Path).TrimEnd('/')
            + (options.Space is { } space ? $"/v1/spaces/{Segment(space)}/" : "/v1/");
    }

    /// <summary>An id as one path segment.</summary>
    /// <exception cref="ArgumentException">The id can't be a segment.</exception>
    public static string Segment(string id)
    {
        return Uri.EscapeDataString(PathId(id, nameof(id)));
    }

    /// <summary>The id, if it can be a segment of a path: now, or in later calls.</summary>
    /// <exception cref="ArgumentException">It can't.</exception>
    public static string PathId(string id, string parameter)
    {
        // RFC 3986 section 5.2.4: servers and proxies remove dot segments, percent-encoded ones too. The call would
        // silently go to another path.
        return Requests.Id(id, parameter) is "." or ".."
            ? throw new ArgumentException($"The id '{id}' can't be addressed over HTTP.", parameter)
            : id;
    }

    /// <summary>Sends until there is an answer.</summary>
    /// <param name="method">Method.</param>
    /// <param name="path">Path below the space, segments already encoded.</param>
    /// <param name="body">The body as bytes, the same at each attempt; null for none.</param>
    /// <param name="answerType">How to read a 2xx answer.</param>
    /// <param name="id">The idempotency key, for the advice in the final exception; null for reads.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <param name="wait">How long the server may wait with its answer (<c>Prefer: wait</c>): added to the time of an attempt and of all of them.</param>
    /// <param name="patience">The same of a call whose answer waits without being asked to; null: of one that doesn't.</param>
    /// <param name="bytesMax">Largest answer.</param>
    /// <exception cref="HoldfastProtocolException">What answers is not Holdfast, or not with this space; or the answer is too large.</exception>
    public async ValueTask<HttpAnswer<T>> SendAsync<T>(
        HttpMethod method, string path, byte[]? body, JsonTypeInfo<T> answerType, string? id, CancellationToken cancellationToken, TimeSpan? wait = null, TimeSpan? patience = null,
        int bytesMax = ThingBytesMax)
        where T : class
    {
        var uri = new Uri(_root + path);
        var time = _options.TimeProvider;
        var longer = wait ?? patience ?? TimeSpan.Zero;
        var session = new RetrySession(_options, _backoff, time.GetTimestamp(), id);
        while (true)
        {
            AttemptFailure failure;
            var remaining = session.Remaining + longer;
            if (remaining <= TimeSpan.Zero)
            {
                throw session.TimedOut(mayHaveExecuted: false);
            }

            using var budget = new CancellationTokenSource(Min(remaining, _options.Retry.AttemptTimeout + longer), time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(budget.Token, cancellationToken);
            try
            {
                using var request = Request(method, uri, body, wait);
                using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
                await response.Content.LoadIntoBufferAsync(bytesMax, either.Token).ConfigureAwait(false);
                var bytes = await response.Content.ReadAsByteArrayAsync(either.Token).ConfigureAwait(false);
                if (FailureOf(response) is not { } failed)
                {
                    return Read(response, bytes, answerType);
                }

                failure = failed;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Not the linked token, of which the caller knows nothing.
                throw new OperationCanceledException(cancellationToken);
            }
            catch (OperationCanceledException e)
            {
                failure = new AttemptFailure(MayHaveExecuted: true, "no answer in time", Cause: e);
            }
            catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
            {
                throw new HoldfastProtocolException($"The answer to {method} {uri} is larger than {bytesMax} bytes, which no answer of Holdfast is.", e);
            }
            catch (HttpRequestException e) when (SpeaksSomethingElse(e))
            {
                throw new HoldfastProtocolException(
                    $"{_root} does not speak HTTP as asked ({e.Message}). Is {nameof(HoldfastClientOptions.HttpAddress)} right, and not the RESP port?", e);
            }
            catch (HttpRequestException e)
            {
                failure = new AttemptFailure(
                    MayHaveExecuted: e.HttpRequestError is not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError), e.Message, Cause: e);
            }
            catch (IOException e)
            {
                failure = new AttemptFailure(MayHaveExecuted: true, e.Message, Cause: e);
            }

            await session.PauseAsync(failure, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads one thing; null when it is not there.</summary>
    /// <exception cref="HoldRefusedException">It was refused for another reason.</exception>
    public async Task<T?> FindAsync<T>(string path, JsonTypeInfo<T> answerType, CancellationToken cancellationToken, TimeSpan? wait = null)
        where T : class
    {
        HttpAnswer<T> answer = await SendAsync(HttpMethod.Get, path, null, answerType, null, cancellationToken, wait).ConfigureAwait(false);
        return answer.Refusal switch
        {
            null => answer.Body!,
            { Code: RefusalCode.NotFound or RefusalCode.UnknownResource } => null,
            { } refusal => throw new HoldRefusedException(refusal),
        };
    }

    /// <summary>Reads a list to its end, page by page.</summary>
    /// <param name="path">Path of the list.</param>
    /// <param name="filter">More of the query, each part begun with <c>&amp;</c>; empty: all.</param>
    /// <param name="pageType">How to read a page.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<T> ListAsync<T>(
        string path, string filter, JsonTypeInfo<PageBody<T>> pageType, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        string? after = null;
        do
        {
            string page = $"{path}?limit={PageThings}{filter}" + (after is null ? "" : "&after=" + Uri.EscapeDataString(after));
            HttpAnswer<PageBody<T>> answer = await SendAsync(HttpMethod.Get, page, null, pageType, null, cancellationToken, bytesMax: PageBytesMax).ConfigureAwait(false);
            if (answer.Refusal is { } refusal)
            {
                throw new HoldRefusedException(refusal);
            }

            foreach (T item in Whole.Items(answer.Body!.Items))
            {
                yield return item;
            }

            after = answer.Body.Next;
        }
        while (after is not null);
    }

    private HttpRequestMessage Request(HttpMethod method, Uri uri, byte[]? body, TimeSpan? wait)
    {
        var request = new HttpRequestMessage(method, uri);
        if (wait is { } seconds)
        {
            request.Headers.TryAddWithoutValidation("Prefer", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"wait={seconds.TotalSeconds:0.###}"));
        }

        request.Headers.Authorization = _authorization;
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }

        return request;
    }

    // 429 is ours and certainly not executed. The others say that somebody on the way lost the outcome: the server itself
    // (503, 500) or a proxy before it (408, 502, 504).
    private AttemptFailure? FailureOf(HttpResponseMessage response) => response.StatusCode switch
    {
        HttpStatusCode.TooManyRequests =>
            new AttemptFailure(MayHaveExecuted: false, "the server is overloaded (429)", RetryAfter(response)),
        HttpStatusCode.ServiceUnavailable or HttpStatusCode.InternalServerError or HttpStatusCode.RequestTimeout
            or HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout =>
            new AttemptFailure(MayHaveExecuted: true, $"the server is unavailable ({(int)response.StatusCode})", RetryAfter(response)),
        _ => null,
    };

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - _options.TimeProvider.GetUtcNow(),
        _ => null,
    };

    // The address is a RESP port, say, or has no TLS or a certificate that nobody trusts. What may pass is a lost connection.
    private static bool SpeaksSomethingElse(HttpRequestException e) =>
        e.HttpRequestError is HttpRequestError.InvalidResponse or HttpRequestError.VersionNegotiationError
        || (e.HttpRequestError == HttpRequestError.SecureConnectionError && e.InnerException is AuthenticationException);

    private HttpAnswer<T> Read<T>(HttpResponseMessage response, byte[] bytes, JsonTypeInfo<T> answerType)
        where T : class
    {
        var status = (int)response.StatusCode;
        try
        {
            if (response.IsSuccessStatusCode)
            {
                return new HttpAnswer<T>(
                    JsonSerializer.Deserialize(bytes, answerType) ?? throw Unexpected(status, null), null);
            }

            if (status is 401 or 403)
            {
                throw new HoldfastDeniedException(
                    $"The server denied the call ({status}). Set {nameof(HoldfastClientOptions.ApiKey)} to a key with the role for it.");
            }

            // Only what carries our code is a refusal; a proxy's 404 page must not pass for "no such hold".
            var problem = bytes.Length == 0 ? null : JsonSerializer.Deserialize(bytes, WireJson.Default.ProblemBody);
            if (problem?.Code is not { Length: > 0 } code)
            {
                throw Unexpected(status, null);
            }

            // These share their code with "no such hold".
            return problem.Title switch
            {
                "No such space" => throw new HoldfastProtocolException(
                    $"There is no space '{_options.Space ?? "default"}' at {_root}. Is {nameof(HoldfastClientOptions.Space)} right? PUT /v1/spaces/... creates one."),
                _ when status == 405 || problem.Title is "No such path" => throw new HoldfastProtocolException(
                    $"Holdfast does not serve what was asked below {_root} ({status}: {problem.Detail}). Is {nameof(HoldfastClientOptions.HttpAddress)} right?"),
                _ => new HttpAnswer<T>(null, problem.ToRefusal(code)),
            };
        }
        catch (JsonException e)
        {
            throw Unexpected(status, e);
        }
    }

    private static HoldfastProtocolException Unexpected(int status, Exception? cause) =>
        new($"Unexpected answer (status {status}): not the JSON of Holdfast. Is HttpAddress right, and nothing else listening there?", cause);

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
