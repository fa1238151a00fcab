using System.Globalization;
using Holdfast.Client.Retries;

namespace Holdfast.Client.Resp;

/// <summary>What replies mean.</summary>
internal static class RespReplies
{
    /// <summary>Error words that say "not now", which is retried, never returned.</summary>
    public static AttemptFailure? RetryableFailure(in RespValue reply)
    {
        if (reply.Kind != RespKind.Error)
        {
            return null;
        }

        return Word(reply.Text!) switch
        {
            "OVERLOADED" => new AttemptFailure(MayHaveExecuted: false, $"the server is overloaded ({reply.Text})"),
            "UNAVAILABLE" => new AttemptFailure(MayHaveExecuted: true, $"the server is unavailable ({reply.Text})"),
            _ => null,
        };
    }

    /// <summary>The refusal in an error reply, or null when the reply is no error.</summary>
    /// <exception cref="HoldfastDeniedException">The key is missing, wrong or without the role.</exception>
    /// <exception cref="HoldfastProtocolException">The server did not understand the command.</exception>
    public static Refusal? ToRefusal(in RespValue reply)
    {
        if (reply.Kind != RespKind.Error)
        {
            return null;
        }

        var text = reply.Text!;
        var word = Word(text);
        switch (word)
        {
            case "NOAUTH" or "WRONGPASS" or "NOPERM":
                throw new HoldfastDeniedException($"The server denied the call ({text}). Set {nameof(HoldfastClientOptions.ApiKey)} to a key with the role for it.");
            case "ERR" or "MOVED" or "":
                throw new HoldfastProtocolException($"The server did not accept the command: {text}");
            case "NOT_FOUND" when text.StartsWith("NOT_FOUND there is no space ", StringComparison.Ordinal):
                throw new HoldfastProtocolException($"{text["NOT_FOUND ".Length..]}. Is {nameof(HoldfastClientOptions.Space)} right?");
            default:
                return ParseRefusal(word, text);
        }
    }

    /// <summary>Whether it is an open server's answer to AUTH.</summary>
    public static bool SaysThatNoKeyIsNeeded(in RespValue reply) =>
        reply.Kind == RespKind.Error && reply.Text!.StartsWith("ERR AUTH called without any API key", StringComparison.Ordinal);

    /// <summary>The exception for bytes that were no RESP.</summary>
    public static HoldfastProtocolException NotResp(RespFormatException cause) =>
        new($"The answer is not RESP ({cause.Message}). Is {nameof(HoldfastClientOptions.RespAddress)} right, and not the HTTP port?", cause);

    public static HoldState ToState(in RespValue reply) =>
        reply.Kind == RespKind.Simple ? RefusalCodes.ParseState(reply.Text) : throw Unexpected(reply);

    public static long ToInteger(in RespValue reply) =>
        reply.Kind == RespKind.Integer ? reply.Integer : throw Unexpected(reply);

    public static Hold ToHold(in RespValue reply)
    {
        var id = Field(reply, "id").Text;
        if (id is null || Field(reply, "lines") is not { Kind: RespKind.Array } lines || lines.Items.Length % 2 != 0)
        {
            throw Unexpected(reply);
        }

        var result = new HoldLine[lines.Items.Length / 2];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = new HoldLine(lines.Items[i * 2].Text ?? throw Unexpected(reply), Number(reply, lines.Items[(i * 2) + 1]));
        }

        var expires = Field(reply, "expires-at").Text;
        return new Hold
        {
            Id = id,
            Owner = Field(reply, "owner").Text is { Length: > 0 } owner ? owner : null,
            State = RefusalCodes.ParseState(Field(reply, "state").Text),
            ExpiresAt = string.IsNullOrEmpty(expires) ? null
                : DateTimeOffset.TryParse(expires, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at
                : throw Unexpected(reply),
            Lines = result,
        };
    }

    public static Resource ToResource(in RespValue reply) => new()
    {
        Id = Field(reply, "id").Text ?? throw Unexpected(reply),
        Available = Number(reply, Field(reply, "available")),
        Held = Number(reply, Field(reply, "held")),
        Consumed = Number(reply, Field(reply, "consumed")),
        Version = Number(reply, Field(reply, "version")),
    };

    // The code, then what is for people; some codes begin that with what is counted.
    private static Refusal ParseRefusal(string word, string text)
    {
        var codeText = word.ToLowerInvariant();
        var message = text.Length > word.Length ? text[(word.Length + 1)..] : codeText;
        var code = RefusalCodes.Parse(codeText);
        var refusal = new Refusal(code, codeText, message);
        return code switch
        {
            RefusalCode.Insufficient or RefusalCode.LimitExceeded or RefusalCode.ExceedsHold or RefusalCode.VersionMismatch or RefusalCode.Disabled
                or RefusalCode.NotOpen or RefusalCode.NotOwner or RefusalCode.UnknownResource => ReadCounts(refusal),
            // Elsewhere such words are part of an id that the message quotes.
            _ => refusal,
        };
    }

    // "sku-1 asked 2 available 0", then nothing, " hold h-1", or words in parentheses. Ids may themselves contain spaces and
    // these very words, so the last place that reads so counts.
    private static Refusal ReadCounts(Refusal refusal)
    {
        const string Asked = " asked ";
        const string Hold = " hold ";
        var text = refusal.Message.AsSpan();
        for (var at = text.LastIndexOf(Asked); at > 0; at = text[..(at + 1)].LastIndexOf(Asked))
        {
            var rest = text[(at + Asked.Length)..];
            if (TakeNumber(ref rest, out var asked) && TakeWord(ref rest, " available ") && TakeNumber(ref rest, out var available)
                && (rest.IsEmpty || rest is [' ', '(', .., ')'] || rest.StartsWith(Hold)))
            {
                return refusal with
                {
                    Resource = text[..at].ToString(),
                    Asked = asked,
                    Available = available,
                    BlockingHold = TakeWord(ref rest, Hold) ? rest.ToString() : null,
                };
            }
        }

        return refusal;
    }

    private static bool TakeNumber(ref ReadOnlySpan<char> text, out long number)
    {
        var end = text.IndexOf(' ');
        var digits = end < 0 ? text : text[..end];
        text = text[digits.Length..];
        return long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
    }

    private static bool TakeWord(ref ReadOnlySpan<char> text, string word)
    {
        if (!text.StartsWith(word))
        {
            return false;
        }

        text = text[word.Length..];
        return true;
    }

    private static string Word(string text)
    {
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        return space < 0 ? text : text[..space];
    }

    // Fields are looked up by name, so a newer server may add some.
    private static RespValue Field(in RespValue reply, string name)
    {
        var items = reply.Items;
        for (var i = 0; i + 1 < items.Length; i += 2)
        {
            if (string.Equals(items[i].Text, name, StringComparison.Ordinal))
            {
                return items[i + 1];
            }
        }

        return RespValue.Null;
    }

    // RESP2 has no typed maps: servers and proxies differ in sending numbers as integers or as text.
    private static long Number(in RespValue reply, in RespValue value) => value.Kind switch
    {
        RespKind.Integer => value.Integer,
        RespKind.Bulk when long.TryParse(value.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) => number,
        _ => throw Unexpected(reply),
    };

    private static HoldfastProtocolException Unexpected(in RespValue reply)
    {
        var text = reply.ToString();
        return new HoldfastProtocolException($"Unexpected reply: {(text.Length > 200 ? text[..200] : text)}");
    }
}
