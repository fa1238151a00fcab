namespace Holdfast.Client;

/// <summary>Where the server is, and how patient to be. Read once, when the client is made.</summary>
/// <remarks>A class and not a record on purpose: a record's <c>ToString</c> would print the API key into a log.</remarks>
public sealed class HoldfastClientOptions
{
    /// <summary>The coordinator's secret (<c>whsec_...</c>, in its data folder's file <c>signing-secret</c>, or its setting <c>signingSecrets</c>):
    /// signs the tries that the caller of a transaction makes itself. Null: they are not signed, and a participant that checks denies them (401).</summary>
    public string? SigningSecret { get; set; }

    /// <summary>Base address of the HTTP API, e.g. <c>http://localhost:8080</c>. A path in it is kept as a prefix.</summary>
    public Uri? HttpAddress { get; set; }

    /// <summary><c>host:port</c> of the RESP listener, e.g. <c>localhost:6380</c> or <c>[::1]:6380</c>.</summary>
    public string? RespAddress { get; set; }

    /// <summary>Sent as <c>Authorization: Bearer</c>, or as <c>AUTH</c> over RESP: printable ASCII without blanks around it.
    /// Null on an open (loopback) server, which also lets a key pass that it doesn't need.</summary>
    public string? ApiKey { get; set; }

    /// <summary>The space that every call goes to. Null: the space <c>default</c>.</summary>
    public string? Space { get; set; }

    /// <summary>How often and how long a call is repeated.</summary>
    public RetryOptions Retry { get; set; } = new();

    /// <summary>Most commands that may wait for their answers on the RESP connection, 1 to 1,048,576 (default 65,536).
    /// One more counts as overloaded: it is not sent, and tried again after a backoff.</summary>
    public int PendingCommandsMax { get; set; } = 65_536;

    /// <summary>How long to wait for a TCP connection and its handshake (default 5 s).</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The clock for issue times, timeouts and backoff.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Source of the backoff's jitter. Guarded by the client when it is not <see cref="Random.Shared"/>.</summary>
    public Random Random { get; set; } = Random.Shared;

    /// <summary>Makes the ids of calls that come without one; must be unique. Null: UUIDv7 text, which sorts by time.</summary>
    public Func<string>? NewId { get; set; }

    internal string MakeId() => NewId?.Invoke() ?? Guid.CreateVersion7(TimeProvider.GetUtcNow()).ToString();

    internal void Validate()
    {
        Rule.Check(Space is not { Length: 0 }, nameof(Space), "null (the default space) or a name");
        Rule.Check(
            HttpAddress is null or { IsAbsoluteUri: true, Scheme: "http" or "https" }, nameof(HttpAddress), "an absolute http or https address");
        Rule.Check(
            ApiKey is null || (ApiKey.Length > 0 && ApiKey[0] != ' ' && ApiKey[^1] != ' ' && !ApiKey.AsSpan().ContainsAnyExceptInRange(' ', '~')),
            nameof(ApiKey),
            "null, or printable ASCII without blanks (or a line's end) around it");
        Rule.Check(PendingCommandsMax is >= 1 and <= 1 << 20, nameof(PendingCommandsMax), "1 to 1,048,576");
        Rule.Check(ConnectTimeout > TimeSpan.Zero && ConnectTimeout <= TimeSpan.FromDays(1), nameof(ConnectTimeout), "above zero, at most a day");
        Rule.Check(TimeProvider is not null, nameof(TimeProvider), "set");
        Rule.Check(Random is not null, nameof(Random), "set");
        Rule.Check(SigningSecret is null || Http.CallSignature.IsSecret(SigningSecret), nameof(SigningSecret), "null, or whsec_ and 24 to 64 bytes in base64");
        Rule.Check(Retry is not null, nameof(Retry), "set");
        Retry!.Validate();
    }
}

/// <summary>
/// Bounds of the built-in retries. What is retried: overloaded (certainly not executed), unavailable and lost
/// connections (outcome unknown), always under the same id. A refusal is an answer and never retried. A try that the
/// caller of a transaction makes itself is repeated until the transaction's deadline instead, with the pauses given here.
/// </summary>
public sealed class RetryOptions
{
    /// <summary>Attempts in all, the first included, 1 to 100 (default 6). 1 turns retries off.</summary>
    public int MaxAttempts { get; set; } = 6;

    /// <summary>Longest time that one call may take with all its attempts and pauses (default 30 s).</summary>
    public TimeSpan OverallTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest time to wait for the answer to one attempt (default 5 s). Over RESP, answers come in order, so a
    /// command that waits longer means a dead connection: it is closed and everything on it retried on a new one.</summary>
    public TimeSpan AttemptTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Upper bound of the first pause; it doubles with each attempt (default 50 ms). The pause is drawn evenly
    /// from zero to the bound (full jitter), so callers that failed together don't come back together.</summary>
    public TimeSpan BaseDelay { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Cap of the doubling bound (default 2 s). A longer <c>Retry-After</c> is still honoured.</summary>
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromSeconds(2);

    internal void Validate()
    {
        Rule.Check(MaxAttempts is >= 1 and <= 100, nameof(MaxAttempts), "1 to 100");
        Rule.Check(IsPositive(OverallTimeout), nameof(OverallTimeout), "above zero, at most a day");
        Rule.Check(IsPositive(AttemptTimeout), nameof(AttemptTimeout), "above zero, at most a day");
        Rule.Check(BaseDelay >= TimeSpan.Zero, nameof(BaseDelay), "zero or above");
        Rule.Check(MaxDelay >= BaseDelay && MaxDelay <= TimeSpan.FromDays(1), nameof(MaxDelay), "at least BaseDelay, at most a day");

        static bool IsPositive(TimeSpan value) => value > TimeSpan.Zero && value <= TimeSpan.FromDays(1);
    }
}

internal static class Rule
{
    public static void Check(bool valid, string option, string rule)
    {
        if (!valid)
        {
            throw new ArgumentException($"{option} must be {rule}.", nameof(option));
        }
    }
}
