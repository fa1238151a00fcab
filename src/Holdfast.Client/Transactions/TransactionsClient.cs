using System.Runtime.CompilerServices;
using System.Text.Json;
using Holdfast.Client.Http;

namespace Holdfast.Client;

/// <summary>
/// The calls on transactions, over HTTP. Every call may be repeated with the same id, and is by itself when an answer is
/// lost. Refusals are values.
/// </summary>
public sealed class TransactionsClient
{
    private readonly HttpChannel _channel;
    private readonly HoldfastClientOptions _options;
    private readonly HttpClient _http;

    internal TransactionsClient(HttpChannel channel, HoldfastClientOptions options, HttpClient http)
    {
        _channel = channel;
        _options = options;
        _http = http;
    }

    /// <summary>Submits a whole transaction; the coordinator tries its branches and confirms or cancels all.</summary>
    /// <param name="plan">The transaction.</param>
    /// <param name="wait">How long to wait for its end, at most 60 seconds; null: not at all.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer; what was sent stands.</param>
    public Task<TransactionResult> SubmitAsync(TransactionPlan plan, TimeSpan? wait = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return plan.IsMessage
            ? throw new ArgumentException("A message is prepared, and committed when the local work is done: PrepareAsync, then CommitAsync.", nameof(plan))
            : PostAsync("transactions", Bytes(plan.Build(_options.TimeProvider.GetUtcNow())), plan.Id, wait, cancellationToken);
    }

    /// <summary>Prepares a message, before the local work that it tells of.</summary>
    public Task<TransactionResult> PrepareAsync(TransactionPlan message, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        return message.IsMessage
            ? PostAsync("transactions", Bytes(message.Build(_options.TimeProvider.GetUtcNow())), message.Id, null, cancellationToken)
            : throw new ArgumentException("Only a message is prepared: TransactionPlan.Message(...). Submit this one.", nameof(message));
    }

    /// <summary>Begins a transaction whose branches the caller registers and tries; dispose it uncommitted, and it is aborted.</summary>
    /// <param name="id">The caller's id.</param>
    /// <param name="timeout">Until it must be committed; null: the server's default, 60 seconds.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer.</param>
    /// <exception cref="HoldRefusedException">The id is taken by another body, or too old.</exception>
    public async Task<OpenTransaction> BeginAsync(string id, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        HttpChannel.PathId(id, nameof(id));
        var body = new BeginBody(id, (decimal?)timeout?.TotalSeconds, _options.TimeProvider.GetUtcNow(), true, null, []);
        long startedAt = _options.TimeProvider.GetTimestamp();
        TransactionResult begun = await PostAsync("transactions", Bytes(body), id, null, cancellationToken).ConfigureAwait(false);
        return new OpenTransaction(this, begun.EnsureSucceeded(), startedAt, _options, _http);
    }

    /// <summary>Commits a transaction that the caller drives, or a message. Refused <c>cancelled</c> when it was aborted or is past its deadline.</summary>
    public Task<TransactionResult> CommitAsync(string id, TimeSpan? wait = null, CancellationToken cancellationToken = default) =>
        PostAsync(Path(id, "/commit"), null, id, wait, cancellationToken);

    /// <summary>Aborts a transaction that is not decided. Refused <c>confirmed</c> when it was committed.</summary>
    public Task<TransactionResult> AbortAsync(string id, string? reason = null, TimeSpan? wait = null, CancellationToken cancellationToken = default) =>
        PostAsync(Path(id, "/abort"), JsonSerializer.SerializeToUtf8Bytes(new AbortBody(reason), TransactionJson.Default.AbortBody), id, wait, cancellationToken);

    /// <summary>Reads a transaction; with a wait, when it has ended or the time is over. Null: there is none.</summary>
    public async Task<Transaction?> FindAsync(string id, TimeSpan? wait = null, CancellationToken cancellationToken = default) =>
        (await _channel.FindAsync(Path(id, ""), TransactionJson.Default.TransactionBody, cancellationToken, wait).ConfigureAwait(false))?.ToTransaction();

    /// <summary>All known transactions in the order in which they began.</summary>
    /// <param name="state">Only in this state; null: all.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<Transaction> ListAsync(TransactionState? state = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string query = state is { } wanted ? "&state=" + wanted.ToString().ToLowerInvariant() : "";
        await foreach (TransactionBody item in _channel.ListAsync("transactions", query, TransactionJson.Default.PageBodyTransactionBody, cancellationToken).ConfigureAwait(false))
        {
            yield return item.ToTransaction();
        }
    }

    /// <summary>Has stuck and waiting calls made again now. Needs the role <c>operate</c>.</summary>
    public Task<TransactionResult> RetryAsync(string id, string? branch = null, TimeSpan? wait = null, CancellationToken cancellationToken = default) =>
        PostAsync(Path(id, "/retry"), JsonSerializer.SerializeToUtf8Bytes(new RetryBody(branch), TransactionJson.Default.RetryBody), id, wait, cancellationToken);

    /// <summary>
    /// Counts stuck branches as done without calling them, or decides in place of whoever doesn't. Needs the role
    /// <c>operate</c>. A dry run says in <see cref="Transaction.WouldDo"/> what it would do.
    /// </summary>
    /// <param name="id">The transaction.</param>
    /// <param name="reason">Why; kept in the journal.</param>
    /// <param name="branch">One branch; null: all that are stuck.</param>
    /// <param name="commit">The decision, while there is none; null: none.</param>
    /// <param name="dryRun">Only say what it would do.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer.</param>
    public Task<TransactionResult> ForceAsync(
        string id, string reason, string? branch = null, bool? commit = null, bool dryRun = false, CancellationToken cancellationToken = default)
    {
        string? decision = commit switch
        {
            true => "commit",
            false => "abort",
            null => null,
        };
        var body = new ForceBody(reason, branch, decision, dryRun ? true : null);
        return PostAsync(Path(id, "/force"), JsonSerializer.SerializeToUtf8Bytes(body, TransactionJson.Default.ForceBody), id, null, cancellationToken);
    }

    internal Task<TransactionResult> RegisterAsync(string id, BranchBody branch, CancellationToken cancellationToken) =>
        PostAsync(Path(id, "/branches"), JsonSerializer.SerializeToUtf8Bytes(branch, TransactionJson.Default.BranchBody), id, null, cancellationToken);

    private async Task<TransactionResult> PostAsync(string path, byte[]? body, string id, TimeSpan? wait, CancellationToken cancellationToken)
    {
        HttpAnswer<TransactionBody> answer = await _channel
            .SendAsync(HttpMethod.Post, path, body, TransactionJson.Default.TransactionBody, id, cancellationToken, wait).ConfigureAwait(false);
        return new TransactionResult { Transaction = answer.Body?.ToTransaction(), Refusal = answer.Refusal };
    }

    private static string Path(string id, string action) => "transactions/" + HttpChannel.Segment(id) + action;

    private static byte[] Bytes(BeginBody body) => JsonSerializer.SerializeToUtf8Bytes(body, TransactionJson.Default.BeginBody);
}

/// <summary>Transactions on the clients' interface.</summary>
public static class TransactionsExtensions
{
    /// <summary>
    /// Begins a transaction whose branches the caller drives:
    /// <code>
    /// await using var tx = await client.BeginTransactionAsync("order-17");
    /// (await tx.HoldAsync("stock", "ann", new HoldLine("sku-1", 1))).EnsureSucceeded();
    /// (await tx.CallAsync("points", points, new Deduct("ann", 10))).EnsureSucceeded();
    /// (await tx.CommitAsync()).EnsureSucceeded();
    /// </code>
    /// Leaving the block before the commit aborts it. The participants' tries are made from here: <see cref="HoldfastClientOptions.SigningSecret"/>.
    /// </summary>
    public static Task<OpenTransaction> BeginTransactionAsync(
        this IHoldfastClient client, string id, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        return client.Transactions.BeginAsync(id, timeout, cancellationToken);
    }
}
