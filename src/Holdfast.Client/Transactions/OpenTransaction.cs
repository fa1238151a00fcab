using System.Globalization;
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
    private static readonly TimeSpan NotYetPause = TimeSpan.FromSeconds(1);

    private readonly TransactionsClient _transactions;
    private readonly HoldfastClientOptions _options;
    private readonly HttpClient _http;
    private readonly long _begunMs;
    private readonly long _startedAt;
    private readonly TimeSpan _life;

    /// <summary>The branches, and whether each was tried with success.</summary>
    private readonly Dictionary<string, bool> _tried = new(StringComparer.Ordinal);
    private bool _decided;

    internal OpenTransaction(TransactionsClient transactions, Transaction begun, long startedAt, HoldfastClientOptions options, HttpClient http)
    {
        _transactions = transactions;
        _options = options;
        _http = http;
        _begunMs = begun.CreatedAt.ToUnixTimeMilliseconds();
        _startedAt = startedAt;
        _life = begun.Deadline - begun.CreatedAt;
        Id = begun.Id;
        Deadline = begun.Deadline;
    }

    /// <summary>The transaction's id.</summary>
    public string Id { get; }

    /// <summary>Until when it must be committed.</summary>
    public DateTimeOffset Deadline { get; }

    /// <summary>What is left until the deadline. Counted here from before the begin was sent: the server's clock may differ from ours.</summary>
    private TimeSpan Remaining => _life - _options.TimeProvider.GetElapsedTime(_startedAt);

    /// <summary>Holds in the coordinator's space; its hold's id is <c>transaction:name</c>. A refusal leaves the transaction as it was.</summary>
    public Task<TryResult> HoldAsync(string name, string? owner, params HoldLine[] lines) => HoldAsync(name, owner, lines, CancellationToken.None);

    /// <inheritdoc cref="HoldAsync(string, string?, HoldLine[])"/>
    public async Task<TryResult> HoldAsync(string name, string? owner, IReadOnlyList<HoldLine> lines, CancellationToken cancellationToken)
    {
        var hold = new HoldBranchBody(owner, null, [.. lines.Select(l => new LineBody(l.Resource, l.Quantity))]);
        Refusal? refusal = await RegisterAsync(new BranchBody(name, null, null, null, null, hold), cancellationToken).ConfigureAwait(false);
        if (refusal is null)
        {
            _tried[name] = true;
        }

        return new TryResult(refusal);
    }

    /// <summary>Registers a branch, then makes its try: an action of a participant known in code.</summary>
    public Task<TryResult> CallAsync<TParticipant>(
        string name, TParticipant participant, Func<TParticipant, ParticipantCall> action, CancellationToken cancellationToken = default)
        where TParticipant : ParticipantContract
    {
        ArgumentNullException.ThrowIfNull(action);
        return CallAsync(name, action(participant).Fill, cancellationToken);
    }

    /// <summary>Registers a branch, then makes its try.</summary>
    public Task<TryResult> CallAsync<TBody>(string name, ParticipantAddress<TBody> participant, TBody body, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(participant);
        return CallAsync(name, branch => participant.Fill(branch, body), cancellationToken);
    }

    /// <summary>
    /// Registers a branch, then makes its try. No answer, or one that can't be used, is asked again until
    /// <see cref="Deadline"/>, as the coordinator would: a second after 425 (not yet), else after the growing, random pauses of
    /// <see cref="HoldfastClientOptions.Retry"/>, whose other bounds don't apply here. The branch is cancelled or confirmed with
    /// the transaction either way. May be called again with the same.
    /// </summary>
    /// <exception cref="HoldfastUnavailableException">The participant gave no usable answer in time: abort, or leave the block.</exception>
    /// <exception cref="HoldfastDeniedException">The participant takes no calls that aren't signed by its coordinator: set
    /// <see cref="HoldfastClientOptions.SigningSecret"/>.</exception>
    public async Task<TryResult> CallAsync(string name, Action<BranchBuilder> configure, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var branch = new BranchBuilder(name);
        configure(branch);
        if (await RegisterAsync(branch.Build(), cancellationToken).ConfigureAwait(false) is { } refusal)
        {
            return new TryResult(refusal);
        }

        TryResult tried = branch.TryCall is { } call ? await TryAsync(name, call, cancellationToken).ConfigureAwait(false) : new TryResult(null);
        if (tried.Succeeded)
        {
            _tried[name] = true;
        }

        return tried;
    }

    /// <summary>Commits; from then on every branch is confirmed, whatever happens here.</summary>
    /// <param name="wait">How long to wait for the end, at most 60 seconds; null: only for the decision.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer; repeat the commit to learn the truth.</param>
    /// <returns>The transaction; or a refusal, <c>cancelled</c> when the deadline has passed: then nothing was bought.</returns>
    /// <exception cref="InvalidOperationException">A registered branch was refused, or nobody knows whether it was tried: its
    /// participant could not confirm it. Abort, or leave the block.</exception>
    public async Task<TransactionResult> CommitAsync(TimeSpan? wait = null, CancellationToken cancellationToken = default)
    {
        if (_tried.FirstOrDefault(b => !b.Value).Key is { } untried)
        {
            throw new InvalidOperationException($"Branch '{untried}' of transaction {Id} was not tried with success, so it can't be confirmed: abort the transaction, or leave its block.");
        }

        cancellationToken.ThrowIfCancellationRequested();

        // From here on an abort by Dispose could undo a commit whose answer was lost.
        _decided = true;
        return await _transactions.CommitAsync(Id, wait, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Aborts: every branch is cancelled.</summary>
    public async Task<TransactionResult> AbortAsync(string? reason = null, TimeSpan? wait = null, CancellationToken cancellationToken = default)
    {
        TransactionResult aborted = await _transactions.AbortAsync(Id, reason, wait, cancellationToken).ConfigureAwait(false);
        _decided = true;
        return aborted;
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

    private async Task<Refusal?> RegisterAsync(BranchBody branch, CancellationToken cancellationToken)
    {
        // While nobody knows whether it is registered, a commit could confirm it untried, or leave it out.
        _tried.TryAdd(branch.Name, false);
        Refusal? refusal = (await _transactions.RegisterAsync(Id, branch, cancellationToken).ConfigureAwait(false)).Refusal;
        if (refusal is not (null or { Code: RefusalCode.Conflict }))
        {
            _tried.Remove(branch.Name);
        }

        return refusal;
    }

    private async Task<TryResult> TryAsync(string name, CallBody call, CancellationToken cancellationToken)
    {
        byte[] body = call.Body is { } json ? Encoding.UTF8.GetBytes(json.GetRawText()) : [];
        TimeProvider time = _options.TimeProvider;
        TimeSpan timeout = call.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds((double)seconds) : _options.Retry.AttemptTimeout;
        var backoff = new Backoff(_options.Retry, _options.Random);
        for (int attempt = 1; ; attempt++)
        {
            string failure;
            Exception? cause = null;
            TimeSpan pause = backoff.Next(attempt), remaining = Remaining;
            TimeSpan patience = remaining < TimeSpan.Zero ? TimeSpan.Zero : timeout < remaining ? timeout : remaining;
            using var budget = new CancellationTokenSource(patience, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(budget.Token, cancellationToken);
            try
            {
                using HttpRequestMessage request = Request(name, call.Url, body, attempt);
                using HttpResponseMessage response = await _http.SendAsync(request, either.Token).ConfigureAwait(false);
                int status = (int)response.StatusCode;
                if (response.IsSuccessStatusCode)
                {
                    return new TryResult(null);
                }

                switch (status)
                {
                    case 409:
                        string why = await response.Content.ReadAsStringAsync(either.Token).ConfigureAwait(false);
                        return new TryResult(new Refusal(RefusalCode.Unknown, "refused", $"branch '{name}': {(why.Length == 0 ? "refused" : why)}"));
                    case 401 or 403:
                        throw Denied(call.Url, status);
                    case 425:
                        pause = NotYetPause;
                        break;
                }

                failure = $"{call.Url} answered {status}";
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancellationToken);
            }
            catch (OperationCanceledException e)
            {
                failure = $"{call.Url} gave no answer in time";
                cause = e;
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                failure = $"{call.Url}: {e.Message}";
                cause = e;
            }

            // Waiting for an attempt that can't be made any more would only hide the answer from the caller for longer.
            if (pause >= Remaining)
            {
                throw new HoldfastUnavailableException(
                    $"No usable answer until the transaction's deadline, after {attempt} attempts: {failure}. Abort, or leave the block.", attempt, outcomeKnown: false, null, cause)
                {
                    Id = Id,
                };
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private HoldfastDeniedException Denied(string url, int status) => new(
        $"The participant denied the try ({url} answered {status}). " + (_options.SigningSecret is null
            ? $"Set {nameof(HoldfastClientOptions.SigningSecret)} to the coordinator's secret: its data folder's file signing-secret, or its setting signingSecrets."
            : $"Is {nameof(HoldfastClientOptions.SigningSecret)} the coordinator's, is the participant's the same, and are both clocks right?"));

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
