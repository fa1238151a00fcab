using System.Text;

namespace Holdfast.Kernel;

/// <summary>Something asked of a checkout. Not pooled like the commands on holds: made for one question.</summary>
public abstract class CheckoutCommand : Command
{
    private protected CheckoutCommand(NameHasher hasher, string id)
        : base(hasher)
    {
        CheckoutId = id;
        Begin(Encoding.UTF8.GetBytes(id), "the checkout's id");
    }

    /// <summary>The checkout's id.</summary>
    public string CheckoutId { get; }

    private protected void Check(string? text, string what)
    {
        if (text is not null && Name.ReasonProblem(Encoding.UTF8.GetBytes(text), what) is { } problem)
        {
            Fail(problem);
        }
    }
}

/// <summary>Begin a checkout: hold the lines and wait to be paid. Idempotent by id: the same body again gets the same checkout.</summary>
public sealed class BeginCheckout : CheckoutCommand
{
    /// <summary>Longest id, in bytes of UTF-8: its hold's is longer.</summary>
    public const int MaxIdBytes = 96;

    /// <summary>A checkout.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="id">The caller's id; the order number at the provider.</param>
    /// <param name="owner">Who buys; null: not said.</param>
    /// <param name="lines">Resources and quantities.</param>
    /// <param name="amount">Minor units to be paid.</param>
    /// <param name="currency">ISO 4217, three capitals.</param>
    /// <param name="channel">The payment channel.</param>
    /// <param name="channelCalls">Whether that channel can call its provider; not part of what makes a repeat.</param>
    /// <param name="ttlMs">Time to pay in milliseconds; 0: the default.</param>
    /// <param name="issuedAtMs">When the caller first sent it, unix milliseconds; 0: not said.</param>
    public BeginCheckout(
        NameHasher hasher,
        string id,
        string? owner,
        IReadOnlyList<KeyValuePair<string, long>> lines,
        long amount,
        string currency,
        string channel,
        bool channelCalls,
        long ttlMs = 0,
        long issuedAtMs = 0)
        : base(hasher, id)
    {
        Owner = owner;
        CheckoutLines = lines;
        ChannelMakesCalls = channelCalls;
        TtlMs = ttlMs;
        IssuedAtMs = issuedAtMs;
        RefuseDots(IdBytes, "the checkout's id");
        if (FindProblem(amount, currency, channel) is { } problem)
        {
            Fail(problem);
            return;
        }

        var encoded = new EventBuffer(0, 256);
        encoded.Text(owner);
        encoded.VarUInt((ulong)ttlMs);
        encoded.VarUInt((ulong)amount);
        encoded.Text(currency);
        encoded.Text(channel);
        CheckoutCodec.WriteLines(encoded, lines);
        Encoded = encoded.Payload.ToArray();
        Fingerprint = Fingerprints.Of(Encoded);
    }

    internal string? Owner { get; }

    internal IReadOnlyList<KeyValuePair<string, long>> CheckoutLines { get; }

    /// <summary>Whether the channel can call its provider.</summary>
    public bool ChannelMakesCalls { get; }

    internal long TtlMs { get; }

    internal long IssuedAtMs { get; }

    internal byte[] Encoded { get; } = [];

    internal UInt128 Fingerprint { get; }

    private string? FindProblem(long amount, string currency, string channel)
    {
        if (Encoding.UTF8.GetByteCount(CheckoutId) > MaxIdBytes)
        {
            return "the checkout's id is longer than 96 bytes";
        }

        if (amount is < 1 or > Quantity.Max)
        {
            return "amount.value must be a whole number of minor units, 1 or more";
        }

        if (currency.Length != 3 || !currency.All(char.IsAsciiLetterUpper))
        {
            return "amount.currency must be an ISO 4217 code, for example EUR";
        }

        if (TtlMs is < 0 or > CheckoutOptions.MaxTtlMs)
        {
            return "ttlSeconds must be above 0 and at most 12 hours";
        }

        if (CheckoutLines.Count is 0 or > LinedCommand.MaxLines)
        {
            return "a checkout needs 1 to 64 lines";
        }

        return CheckoutLines.Any(l => l.Value is < 1 or > Quantity.Max) ? "a line's quantity must be 1 or more"
            : CheckoutLines.Select(l => Name.Problem(Encoding.UTF8.GetBytes(l.Key), "a line's resource")).FirstOrDefault(p => p is not null)
            ?? (Owner is null ? null : Name.Problem(Encoding.UTF8.GetBytes(Owner), "the owner"))
            ?? Name.Problem(Encoding.UTF8.GetBytes(channel), "the channel");
    }
}

/// <summary>Cancel a checkout that isn't paid. The order is closed at the provider first, where there is one. Idempotent.</summary>
public sealed class CancelCheckout : CheckoutCommand
{
    /// <summary>A cancel.</summary>
    public CancelCheckout(NameHasher hasher, string id, string? reason = null)
        : base(hasher, id)
    {
        Reason = reason;
        Check(reason, "the reason");
    }

    internal string? Reason { get; }
}

/// <summary>Read a checkout. The answer waits until what it tells is durable.</summary>
public sealed class GetCheckout : CheckoutCommand
{
    /// <summary>A read.</summary>
    public GetCheckout(NameHasher hasher, string id)
        : base(hasher, id)
    {
    }
}

/// <summary>A page of checkouts in the order they began.</summary>
public sealed class ListCheckouts : Command
{
    /// <summary>A page.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="state">Only those in this state; null: all but what is in suspense.</param>
    /// <param name="stuck">Only those that wait for an operator.</param>
    /// <param name="after">Where the page before ended; null: the first page.</param>
    /// <param name="limit">Most entries, 1 to 1,000.</param>
    public ListCheckouts(NameHasher hasher, CheckoutState? state, bool stuck, string? after, int limit)
        : base(hasher)
    {
        State = state;
        Stuck = stuck;
        After = after;
        Limit = limit;
        Begin("-"u8, "the list");
        if (limit is < 1 or > 1000)
        {
            Fail("limit must be from 1 to 1000");
        }
    }

    internal CheckoutState? State { get; }

    internal bool Stuck { get; }

    internal string? After { get; }

    internal int Limit { get; }
}

/// <summary>Something that a provider told, its signature verified. Idempotent by channel and event id, and by channel, payment and kind.</summary>
public sealed class TakeNotice : Command
{
    /// <summary>A notice.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="notice">What was told.</param>
    /// <param name="channelCalls">Whether that channel can call its provider.</param>
    /// <param name="keptAtMs">Of one that was taken before and is read anew from the journal, when it was, in unix
    /// milliseconds: its event id is then no reason to swallow it, what it says still counts once. 0: it has just come.</param>
    public TakeNotice(NameHasher hasher, PaymentNotice notice, bool channelCalls, long keptAtMs = 0)
        : base(hasher)
    {
        ArgumentNullException.ThrowIfNull(notice);
        Notice = notice with
        {
            EventId = Plain(notice.EventId)!,
            Checkout = Plain(notice.Checkout),
            Transaction = Plain(notice.Transaction),
            Refund = Plain(notice.Refund),
            ProviderOrder = Plain(notice.ProviderOrder),
            Currency = Plain(notice.Currency)!,
            Type = Plain(notice.Type)!,
        };
        ChannelCalls = channelCalls;
        KeptAtMs = keptAtMs;
        Begin("-"u8, "the notice");
    }

    internal PaymentNotice Notice { get; }

    internal bool ChannelCalls { get; }

    internal long KeptAtMs { get; }

    internal bool Again => KeptAtMs != 0;

    /// <summary>What a provider writes is genuine, and still not to forge a line of a log, nor to fill the memory.</summary>
    private static string? Plain(string? text)
    {
        const int longest = 256;
        if (text is null || (text.Length <= longest && !text.Any(char.IsControl)))
        {
            return text;
        }

        return new string([.. text.Take(longest).Select(c => char.IsControl(c) ? '?' : c)]);
    }
}

/// <summary>Send money back. Idempotent by id; the sum never exceeds what was paid (E36).</summary>
public sealed class RefundCheckout : CheckoutCommand
{
    /// <summary>A refund.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="id">The checkout.</param>
    /// <param name="refund">The caller's id of the refund.</param>
    /// <param name="transaction">The payment; null: the one that paid the checkout, or the only one there is.</param>
    /// <param name="amount">Minor units; 0: all that is left.</param>
    /// <param name="currency">ISO 4217, must be the payment's; null: not said.</param>
    /// <param name="reason">For people.</param>
    public RefundCheckout(NameHasher hasher, string id, string refund, string? transaction, long amount, string? currency, string reason)
        : base(hasher, id)
    {
        RefundId = refund;
        Transaction = transaction;
        Amount = amount;
        Currency = currency;
        Reason = reason;
        Check(reason, "the reason");
        RefuseDots(Encoding.UTF8.GetBytes(refund), "the refund's id");
        if (Name.Problem(Encoding.UTF8.GetBytes(refund), "the refund's id") is { } problem)
        {
            Fail(problem);
        }
        else if (refund.StartsWith(CheckoutBook.AutoPrefix, StringComparison.Ordinal) || refund.StartsWith(CheckoutBook.ProviderPrefix, StringComparison.Ordinal))
        {
            Fail("ids that begin with auto- or provider- are made by Holdfast");
        }

        if (amount is < 0 or > Quantity.Max)
        {
            Fail("amount.value must be a whole number of minor units, 1 or more");
        }
    }

    internal string RefundId { get; }

    internal string? Transaction { get; }

    internal long Amount { get; }

    internal string? Currency { get; }

    internal string Reason { get; }
}

/// <summary>Decide a conflicted checkout: take its payment as it is, or send it back. For operators; the reason is kept.</summary>
public sealed class ResolveCheckout : CheckoutCommand
{
    /// <summary>A decision; for suspense, only a refund.</summary>
    public ResolveCheckout(NameHasher hasher, string id, bool accept, string reason)
        : base(hasher, id)
    {
        Accept = accept;
        Reason = reason;
        Check(reason, "the reason");
        if (string.IsNullOrWhiteSpace(reason))
        {
            Fail("reason is missing: say why, for the audit trail");
        }
    }

    /// <summary>The payment in suspense of a channel.</summary>
    public ResolveCheckout(NameHasher hasher, string channel, string transaction, string reason)
        : this(hasher, channel + "/" + transaction, accept: false, reason) => Key = CheckoutBook.SuspenseKey(channel, transaction);

    internal string? Key { get; }

    internal bool Accept { get; }

    internal string Reason { get; }
}

/// <summary>Say what became of a refund that was made by hand, or that the provider doesn't answer for. For operators.</summary>
public sealed class SettleRefund : CheckoutCommand
{
    /// <summary>An operator's word.</summary>
    public SettleRefund(NameHasher hasher, string id, string refund, bool succeeded, string reason)
        : base(hasher, id)
    {
        RefundId = refund;
        Succeeded = succeeded;
        Reason = reason;
        Check(reason, "the reason");
        if (string.IsNullOrWhiteSpace(reason))
        {
            Fail("reason is missing: say why, for the audit trail");
        }
    }

    internal string RefundId { get; }

    internal bool Succeeded { get; }

    internal string Reason { get; }
}

/// <summary>Make the calls of a checkout that wait, or wait for an operator, now. For operators.</summary>
public sealed class RetryCheckout : CheckoutCommand
{
    /// <summary>A retry.</summary>
    public RetryCheckout(NameHasher hasher, string id)
        : base(hasher, id)
    {
    }
}

/// <summary>What a provider answered, or that it didn't. Sent by whoever makes the calls; one that is no longer awaited changes nothing.</summary>
public sealed class AnswerPaymentCall : Command
{
    /// <summary>The answer to one call.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="call">The call.</param>
    /// <param name="result">What it means.</param>
    /// <param name="retryMs">When to ask again after an unknown outcome, in milliseconds from now.</param>
    public AnswerPaymentCall(NameHasher hasher, PaymentCall call, PaymentResult result, long retryMs)
        : base(hasher)
    {
        ArgumentNullException.ThrowIfNull(result);
        Call = call;
        Result = result.Text.Length > AnswerCall.MaxTextLength ? result with { Text = result.Text[..AnswerCall.MaxTextLength] } : result;
        RetryMs = retryMs;
        Begin("-"u8, "the answer");
    }

    internal PaymentCall Call { get; }

    internal PaymentResult Result { get; }

    internal long RetryMs { get; }
}
