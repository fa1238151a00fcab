using System.Text.Json;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>A transaction's event as JSON: what happened and to which branch. Bodies and headers of calls stay in the journal.</summary>
internal static class TransactionEventJson
{
    private static readonly JsonEncodedText Deadline = JsonEncodedText.Encode("deadline");
    private static readonly JsonEncodedText NextAt = JsonEncodedText.Encode("nextAt");

    public static void Write(AnswerWriter output, TransactionEvent happened)
    {
        Utf8JsonWriter json = output.Json;
        if (happened is TransactionsForgottenEvent forgotten)
        {
            json.WriteNumber("count"u8, forgotten.Count);
            return;
        }

        json.WriteString("transaction"u8, happened.Transaction);
        switch (happened)
        {
            case TransactionBegunEvent e:
                output.WriteInstant(Deadline, e.DeadlineMs);
                json.WriteBoolean("begin"u8, e.CallerDriven);
                json.WriteStartArray("branches"u8);
                foreach (EncodedBranch branch in e.Branches)
                {
                    json.WriteStringValue(branch.Spec.Name);
                }

                json.WriteEndArray();
                break;
            case BranchRegisteredEvent e:
                json.WriteString("branch"u8, e.Branch.Spec.Name);
                break;
            case CallAnsweredEvent e:
                json.WriteNumber("branch"u8, e.Branch);
                json.WriteString("op"u8, e.Op.Text());
                json.WriteString("outcome"u8, e.Outcome.Text());
                if (e.Text is not null)
                {
                    json.WriteString("answer"u8, e.Text);
                }

                if (e.DueMs != 0)
                {
                    output.WriteInstant(NextAt, e.DueMs);
                }

                break;
            case TransactionDecidedEvent e:
                json.WriteString("decision"u8, e.Commit ? "commit"u8 : "abort"u8);
                if (e.Code is not null)
                {
                    json.WriteString("code"u8, e.Code);
                    json.WriteString("message"u8, e.Text);
                }

                break;
            case CallRetriedEvent e:
                json.WriteNumber("branch"u8, e.Branch);
                break;
            case CallForcedEvent e:
                json.WriteNumber("branch"u8, e.Branch);
                json.WriteString("reason"u8, e.Reason);
                break;
        }
    }
}
