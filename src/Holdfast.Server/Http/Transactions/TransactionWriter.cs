using System.Globalization;
using System.Text.Json;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>A transaction as JSON, and in words.</summary>
internal static class TransactionWriter
{
    private static readonly JsonEncodedText CreatedAt = JsonEncodedText.Encode("createdAt");
    private static readonly JsonEncodedText Deadline = JsonEncodedText.Encode("deadline");
    private static readonly JsonEncodedText EndedAt = JsonEncodedText.Encode("endedAt");
    private static readonly JsonEncodedText NextAt = JsonEncodedText.Encode("nextAt");

    public static void Write(AnswerWriter output, TransactionView transaction)
    {
        Utf8JsonWriter json = output.Json;
        json.WriteStartObject();
        json.WriteString("id"u8, transaction.Id);
        json.WriteString("state"u8, transaction.IsStuck ? TransactionTexts.Stuck : TransactionTexts.Of(transaction.State));
        if (transaction.State != TransactionState.Trying)
        {
            json.WriteString("decision"u8, transaction.State is TransactionState.Confirming or TransactionState.Confirmed ? "commit"u8 : "abort"u8);
        }

        if (transaction.ReasonCode is not null)
        {
            json.WriteStartObject("reason"u8);
            json.WriteString("code"u8, transaction.ReasonCode);
            json.WriteString("message"u8, transaction.ReasonText);
            json.WriteEndObject();
        }

        output.WriteInstant(CreatedAt, transaction.CreatedAtMs);
        output.WriteInstant(Deadline, transaction.DeadlineMs);
        if (transaction.EndedAtMs != 0)
        {
            output.WriteInstant(EndedAt, transaction.EndedAtMs);
        }

        json.WriteStartArray("branches"u8);
        foreach (BranchView branch in transaction.Branches)
        {
            Write(output, branch);
        }

        json.WriteEndArray();
        if (transaction.Check is { } check)
        {
            json.WriteStartObject("checkBack"u8);
            json.WriteString("state"u8, check.IsStuck ? TransactionTexts.Stuck : "waiting");
            WriteProgress(output, check);
            json.WriteEndObject();
        }

        if (Explain(transaction) is { Length: > 0 } words)
        {
            json.WriteString("explanation"u8, words);
        }

        if (transaction.WouldDo is not null)
        {
            json.WriteStartArray("wouldDo"u8);
            foreach (string step in transaction.WouldDo)
            {
                json.WriteStringValue(step);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void Write(AnswerWriter output, BranchView branch)
    {
        Utf8JsonWriter json = output.Json;
        json.WriteStartObject();
        json.WriteString("name"u8, branch.Name);
        json.WriteString("state"u8, branch.Call.IsStuck ? TransactionTexts.Stuck : TransactionTexts.Of(branch.State));
        if (branch.Call.IsStuck)
        {
            json.WriteString("stuckOn"u8, branch.Call.Op.Text());
        }

        WriteProgress(output, branch.Call);
        if (branch.HoldId is not null)
        {
            json.WriteString("hold"u8, branch.HoldId);
        }

        json.WriteEndObject();
    }

    private static void WriteProgress(AnswerWriter output, CallView call)
    {
        output.Json.WriteNumber("attempts"u8, call.Attempts);
        if (call.LastAnswer is not null)
        {
            output.Json.WriteString("lastAnswer"u8, call.LastAnswer);
        }

        if (call.NextAtMs != 0)
        {
            output.WriteInstant(NextAt, call.NextAtMs);
        }
    }

    /// <summary>What was called, what it answered, and what happens next; for whatever still waits for an answer.</summary>
    private static string Explain(TransactionView transaction)
    {
        var sentences = new List<string>();
        if (transaction.State == TransactionState.Cancelling && transaction.ReasonText is { } why)
        {
            sentences.Add($"It is being cancelled: {why}.");
        }

        foreach (BranchView branch in transaction.Branches)
        {
            Explain(sentences, $"Branch '{branch.Name}'", branch.Call, transaction);
        }

        if (transaction.Check is { } check && transaction.State == TransactionState.Trying)
        {
            Explain(sentences, "The check-back", check, transaction);
        }

        return string.Join(' ', sentences);
    }

    private static void Explain(List<string> sentences, string who, CallView call, TransactionView transaction)
    {
        if (!call.IsStuck && (call.Attempts == 0 || call.NextAtMs == 0 || call.LastAnswer is null))
        {
            return;
        }

        string op = call.Op.Text();
        string where = call.Url is null ? "" : $" (POST {call.Url})";
        string times = call.Attempts == 1 ? "once" : call.Attempts.ToString(CultureInfo.InvariantCulture) + " times";
        string asked = call.Url is null ? $"{who}: {op}" : $"{who}: its {op}{where} was called {times}";
        string path = "/v1/transactions/" + Uri.EscapeDataString(transaction.Id);
        sentences.Add($"{asked}; the last answer was: {call.LastAnswer ?? "none"}.");
        sentences.Add(call.IsStuck
            ? $"It is not called again by itself. Mend the participant and POST {path}/retry; or, when its effect was brought about otherwise, POST {path}/force with a reason (dryRun shows what that does)."
            : $"It is called again at {DateTimeOffset.FromUnixTimeMilliseconds(call.NextAtMs).UtcDateTime:O}.");
    }
}
