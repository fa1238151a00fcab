using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Holdfast.Client.Http;
using Holdfast.Client.Retries;

namespace Holdfast.Client;

/// <summary>
/// A transaction that its caller drives. Each branch is registered before its try, so that whatever happens to this
/// process, the coordinator knows whom to cancel. Not for concurrent use.
/// </summary>
public sealed class OpenTransaction : IAsyncDisposable
{
    private static readonly TimeSpan AbortAtMost = TimeSpan.FromSeconds(5);

    private readonly TransactionsClient _transactions;
    private readonly HoldfastClientOptions _options;
    private readonly HttpClient _http;
    private readonly long _begunMs;
    private readonly List<string> _notTried = [];
    private bool _decided;

    internal OpenTransaction(TransactionsClient transactions, Transaction begun, HoldfastClientOptions options, HttpClient http)
    {
        _transactions = transactions;
        _options = options;
        _http = http;
        _begunMs = begun.CreatedAt.ToUnixTimeMilliseconds();
        Id = begun.Id;
        Deadline = begun.Deadline;
    }

    /// <summary>The transaction's id.</summary>
    public string Id { get; }

    /// <summary>Until when it must be committed.</summary>
    public DateTimeOffset Deadline { get; }

    /// <summary>Holds in the coordinator's space; its hold's id is <c>transaction:name</c>. A refusal leaves the transaction as it was.</summary>
    public Task<BranchResult> HoldAsync(string name, string? owner, params HoldLine[] lines) => HoldAsync(name, owner, lines, CancellationToken.None);

    /// <inheritdoc cref="HoldAsync(string, string?, HoldLine[])"/>
    public async Task<BranchResult> HoldAsync(string name, string? owner, IReadOnlyList<HoldLine> lines, CancellationToken cancellationToken)
    {
        var hold = new HoldBranchBody(owner, null, [.. lines.Select(l => new LineBody(l.Resource, l.Quantity))]);
        return new BranchResult((await _transactions.RegisterAsync(Id, new BranchBody(name, null, null, null, null, hold), cancellationToken).ConfigureAwait(false)).Refusal);
    }

    /// <summary>Registers a branch, then makes its try: an action of a participant known in code.</summary>
    public Task<BranchResult> CallAsync<TParticipant>(
        string name, TParticipant participant, Func<TParticipant, ParticipantCall> action, CancellationToken cancellationToken = default)
        where TParticipant : ParticipantContract
    {
        ArgumentNullException.ThrowIfNull(action);
        return CallAsync(name, action(participant).Fill, cancellationToken);
    }

    /// <summary>Registers a branch, then makes its try.</summary>
    public Task<BranchResult> CallAsync<TBody>(string name, ParticipantAddress<TBody> participant, TBody body, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(participant);
        return CallAsync(name, branch => participant.Fill(branch, body), cancellationToken);
    }

    /// <summary>
    /// Registers a branch, then makes its try. No answer, or one that can't be used, is asked again until the deadline, as
    /// the coordinator would; the branch is cancelled or confirmed with the transaction either way.
    /// </summary>
    /// <exception cref="HoldfastUnavailableException">The participant gave no usable answer in time: abort, or leave the block.</exception>
    public async Task<BranchResult> CallAsync(string name, Action<BranchBuilder> configure, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var branch = new BranchBuilder(name);
        configure(branch);
        TransactionResult registered = await _transactions.RegisterAsync(Id, branch.Build(), cancellationToken).ConfigureAwait(false);
        if (registered.Refusal is { } refusal)
        {
            return new BranchResult(refusal);
        }

        if (branch.TryCall is not { } call)
        {
            return new BranchResult(null);
        }

        _notTried.Add(name);
        BranchResult tried = await TryAsync(name, call, cancellationToken).ConfigureAwait(false);
        if (tried.Succeeded)
        {
            _notTried.Remove(name);
        }

        return tried;
    }

    /// <summary>Commits; from then on every branch is confirmed, whatever happens here.</summary>
    /// <param name="wait">How long to wait for the end, at most 60 seconds; null: only for the decision.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer; repeat the commit to learn the truth.</param>
    /// <exception cref="InvalidOperationException">A registered branch was refused, or nobody knows whether it was tried: its
    /// participant could not confirm it. Abort, or leave the block.</exception>
    public async Task<TransactionResult> CommitAsync(TimeSpan? wait = null, CancellationToken cancellationToken = default)
    {
        if (_notTried.Count > 0)
        {
            throw new InvalidOperationException($"Branch '{_notTried[0]}' of transaction {Id} was not tried with success, so it can't be confirmed: abort the transaction, or leave its block.");
        }

        // From here on an abort by Dispose could undo a commit whose answer was lost.
        _decided = true;
        return await _transactions.CommitAsync(Id, wait, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Aborts: every branch is cancelled.</summary>
    public async Task<TransactionResult> AbortAsync(string? reason = null, TimeSpan? wait = null, CancellationToken cancellationToken = default)
    {
        _decided = true;
        return await _transactions.AbortAsync(Id, reason, wait, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Aborts what is not committed. Best effort, a few seconds at most: otherwise the deadline does it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_decided)
        {
            return;
        }

        using var limit = new CancellationTokenSource(AbortAtMost, _options.TimeProvider);
        try
        {
            await AbortAsync("the caller left the transaction without committing", null, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HoldfastException or OperationCanceledException)
        {
            // The deadline cancels it.
        }
    }

    private async Task<BranchResult> TryAsync(string name, CallBody call, CancellationToken cancellationToken)
    {
        byte[] body = call.Body is { } json ? Encoding.UTF8.GetBytes(json.GetRawText()) : [];
        TimeProvider time = _options.TimeProvider;
        var session = new RetrySession(_options, new Backoff(_options.Retry, _options.Random), time.GetTimestamp(), Id);
        for (int attempt = 1; ; attempt++)
        {
            AttemptFailure failure;
            TimeSpan timeout = call.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds((double)seconds) : _options.Retry.AttemptTimeout;
            using var budget = new CancellationTokenSource(timeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(budget.Token, cancellationToken);
            try
            {
                using HttpRequestMessage request = Request(name, call.Url, body, attempt);
                using HttpResponseMessage response = await _http.SendAsync(request, either.Token).ConfigureAwait(false);
                if (response.IsSuccessStatusCode)
                {
                    return new BranchResult(null);
                }

                if (response.StatusCode == HttpStatusCode.Conflict)
                {
                    string why = await response.Content.ReadAsStringAsync(either.Token).ConfigureAwait(false);
                    return new BranchResult(new Refusal(RefusalCode.Unknown, "refused", $"branch '{name}': {(why.Length == 0 ? "refused" : why)}"));
                }

                failure = new AttemptFailure(MayHaveExecuted: true, $"{call.Url} answered {(int)response.StatusCode}");
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancellationToken);
            }
            catch (OperationCanceledException e)
            {
                failure = new AttemptFailure(MayHaveExecuted: true, $"{call.Url} gave no answer in time", Cause: e);
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                failure = new AttemptFailure(MayHaveExecuted: true, $"{call.Url}: {e.Message}", Cause: e);
            }

            await session.PauseAsync(failure, cancellationToken).ConfigureAwait(false);
        }
    }

    private HttpRequestMessage Request(string branch, string url, byte[] body, int attempt)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
        if (body.Length > 0)
        {
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        Add("Holdfast-Transaction", CallSignature.Header(Id));
        if (_options.Space is { } space && space != "default")
        {
            Add("Holdfast-Space", space);
        }

        Add("Holdfast-Branch", CallSignature.Header(branch));
        Add("Holdfast-Op", "try");
        Add("Holdfast-Attempt", attempt.ToString(CultureInfo.InvariantCulture));
        Add("Holdfast-Begun", _begunMs.ToString(CultureInfo.InvariantCulture));
        if (_options.SigningSecret is { } secret)
        {
            string id = CallSignature.MessageId(_options.Space ?? "default", Id, branch, "try");
            long timestamp = _options.TimeProvider.GetUtcNow().ToUnixTimeSeconds();
            Add("webhook-id", id);
            Add("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
            Add("webhook-signature", CallSignature.Sign(secret, id, timestamp, body));
        }

        return request;

        void Add(string name, string value) => request.Headers.TryAddWithoutValidation(name, value);
    }
}
