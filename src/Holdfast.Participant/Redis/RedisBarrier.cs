using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Client;
using Holdfast.Client.Resp;
using Holdfast.Client.Retries;

namespace Holdfast.Participant;

/// <summary>
/// The barrier for business in Redis: marker and business in one script. The marker's key has the hash tag of the
/// business's key, so both are in one slot of a cluster.
/// </summary>
public sealed class RedisBarrier : IDisposable
{
    private readonly HoldfastClientOptions _options;
    private readonly RespConnector _connector;
    private readonly PendingCommand.Pool _pool;

    /// <summary>A barrier over a connection of its own, that pipelines by itself. Does no I/O: the first call connects.</summary>
    /// <param name="address">HOST:PORT of the Redis server.</param>
    /// <param name="password">Sent with AUTH; null: none.</param>
    public RedisBarrier(string address, string? password = null)
    {
        _options = new HoldfastClientOptions { RespAddress = address, ApiKey = password };
        _pool = new PendingCommand.Pool(_options.PendingCommandsMax);
        _connector = new RespConnector(_options, new Backoff(_options.Retry, _options.Random), _pool);
    }

    /// <summary>
    /// How long markers are kept. Default 8 days: a day longer than a transaction's phase one may take. A call that comes
    /// later still would run anew.
    /// </summary>
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromDays(8);

    /// <summary>Carries out a call on a balance of <see cref="RedisBusiness.Balance"/>. One branch, one key.</summary>
    /// <param name="call">What is asked.</param>
    /// <param name="key">The balance's key.</param>
    /// <param name="amount">Units, 1 to 2^53.</param>
    /// <param name="cancellationToken">Gives up waiting; what was sent may be carried out.</param>
    /// <exception cref="HoldfastUnavailableException">Redis gave no answer; the coordinator asks again.</exception>
    /// <exception cref="InvalidOperationException">The branch has touched another key before, with the same hash tag; or Redis answered an error.</exception>
    public Task<BranchResult> RunAsync(BranchCall call, string key, long amount, CancellationToken cancellationToken = default)
    {
        // Lua's numbers are doubles.
        ArgumentOutOfRangeException.ThrowIfLessThan(amount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(amount, 1L << 53);
        return RunAsync(call, key, RedisBusiness.Balance, [amount.ToString(CultureInfo.InvariantCulture)], cancellationToken);
    }

    /// <summary>Carries out a call with a business of your own. One branch, one key.</summary>
    /// <exception cref="HoldfastUnavailableException">Redis gave no answer; the coordinator asks again.</exception>
    /// <exception cref="InvalidOperationException">The branch has touched another key before, with the same hash tag; or Redis answered an error.</exception>
    public async Task<BranchResult> RunAsync(BranchCall call, string key, RedisBusiness business, IReadOnlyList<string> args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(call);
        ArgumentNullException.ThrowIfNull(business);
        ArgumentNullException.ThrowIfNull(args);
        if (call.Op == BranchOp.Check)
        {
            throw new ArgumentException("A check-back is about a database's local transaction.", nameof(call));
        }

        string[] tail =
        [
            "2", key, MarkerKey(call, key), call.Op.ToString().ToLowerInvariant(), ((long)KeepFor.TotalSeconds).ToString(CultureInfo.InvariantCulture), call.ExpectsTry ? "1" : "0", .. args,
        ];
        RespValue reply = await SendAsync(["EVALSHA", Sha(business.Script), .. tail], cancellationToken);
        if (reply.Kind == RespKind.Error && reply.Text!.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            reply = await SendAsync(["EVAL", business.Script, .. tail], cancellationToken);
        }

        return reply switch
        {
            { Kind: RespKind.Bulk, Text: "run" } => BranchResult.Done,
            { Kind: RespKind.Bulk, Text: "skip" } => BranchResult.Done with { Skipped = true },
            { Kind: RespKind.Bulk, Text: { } text } when text.StartsWith("refuse ", StringComparison.Ordinal) => BranchResult.Refused(text["refuse ".Length..]),
            { Kind: RespKind.Bulk, Text: { } text } when text.StartsWith("key ", StringComparison.Ordinal) => throw new InvalidOperationException(
                $"Branch '{call.Branch}' of '{call.Transaction}' has touched the key '{text["key ".Length..]}' and can't touch '{key}' too: one branch, one key. Make them two branches, or one hash."),
            _ => throw new InvalidOperationException($"Redis answered {reply}."),
        };
    }

    /// <inheritdoc/>
    public void Dispose() => _connector.Dispose();

    /// <summary>The marker lives where the business's key does: the same hash tag, or the whole key as one.</summary>
    internal static string MarkerKey(BranchCall call, string key)
    {
        int open = key.IndexOf('{', StringComparison.Ordinal);
        int close = open < 0 ? -1 : key.IndexOf('}', open + 1);
        string tag = close > open + 1 ? key[(open + 1)..close] : key;
        return tag.Contains('}', StringComparison.Ordinal)
            ? throw new ArgumentException($"The key '{key}' can't be a hash tag: put a part of it in braces, as in points:{{user-9}}.", nameof(key))
            : $"holdfast:{{{tag}}}:{call.Space}:{call.Transaction}:{call.Branch}";
    }

    private async Task<RespValue> SendAsync(string[] parts, CancellationToken cancellationToken)
    {
        RespConnector.Opened opened = await _connector.OpenAsync().WaitAsync(cancellationToken);
        if (opened.Connection is not { } connection)
        {
            throw new HoldfastUnavailableException(opened.Failure.Message, 1, outcomeKnown: true, null, opened.Failure.Cause);
        }

        PendingCommand pending = _pool.Rent();
        connection.Enqueue(new RawCommand(parts), pending);
        Completion completion = await pending.WaitAsync(cancellationToken);
        return completion.Kind == CompletionKind.Reply
            ? completion.Reply
            : throw new HoldfastUnavailableException(completion.Reason ?? "no answer", 1, outcomeKnown: completion.Kind == CompletionKind.NotSent, null, completion.Cause);
    }

    // Redis names scripts by their SHA-1: an address, not a protection.
#pragma warning disable CA5350
    private static string Sha(string script) => Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(script)));
#pragma warning restore CA5350

    private readonly struct RawCommand(string[] parts) : IRespCommand
    {
        public void Write(RespWriter writer)
        {
            writer.BeginCommand(parts.Length);
            foreach (string part in parts)
            {
                writer.Argument(part);
            }
        }
    }
}
