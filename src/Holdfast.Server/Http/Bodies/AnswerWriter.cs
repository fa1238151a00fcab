using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>Writes answers as JSON into a buffer of its own. Made to be reused.</summary>
internal sealed class AnswerWriter : IDisposable
{
    private const int BufferKeptBytes = 64 * 1024;

    private static readonly JsonEncodedText Id = JsonEncodedText.Encode("id");
    private static readonly JsonEncodedText Owner = JsonEncodedText.Encode("owner");
    private static readonly JsonEncodedText State = JsonEncodedText.Encode("state");
    private static readonly JsonEncodedText ExpiresAt = JsonEncodedText.Encode("expiresAt");
    private static readonly JsonEncodedText Lines = JsonEncodedText.Encode("lines");
    private static readonly JsonEncodedText ResourceName = JsonEncodedText.Encode("resource");
    private static readonly JsonEncodedText QuantityName = JsonEncodedText.Encode("quantity");
    private static readonly JsonEncodedText Held = JsonEncodedText.Encode("held");
    private static readonly JsonEncodedText Consumed = JsonEncodedText.Encode("consumed");
    private static readonly JsonEncodedText Returned = JsonEncodedText.Encode("returned");
    private static readonly JsonEncodedText OpensAt = JsonEncodedText.Encode("opensAt");
    private static readonly JsonEncodedText ClosesAt = JsonEncodedText.Encode("closesAt");
    private static readonly JsonEncodedText CreatedAt = JsonEncodedText.Encode("createdAt");
    private static readonly JsonEncodedText FinishedAt = JsonEncodedText.Encode("finishedAt");
    private static readonly JsonEncodedText Time = JsonEncodedText.Encode("time");
    private static readonly JsonEncodedText Status = JsonEncodedText.Encode("status");
    private static readonly JsonEncodedText[] States = [.. Enum.GetNames<HoldState>().Select(s => JsonEncodedText.Encode(s.ToLowerInvariant()))];

    private ArrayBufferWriter<byte> _buffer = new(512);

    public AnswerWriter() => Json = new Utf8JsonWriter(_buffer, new JsonWriterOptions
    {
        // The answers are JSON for programs, never pasted into HTML: names stay readable in every script.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    });

    /// <summary>The writer, for shapes that are not of this class.</summary>
    public Utf8JsonWriter Json { get; }

    /// <summary>What was written.</summary>
    public ReadOnlyMemory<byte> Written
    {
        get
        {
            Json.Flush();
            return _buffer.WrittenMemory;
        }
    }

    /// <summary>Bytes written so far.</summary>
    public long Length => _buffer.WrittenCount + Json.BytesPending;

    /// <summary>Begins anew.</summary>
    public void Begin()
    {
        if (_buffer.Capacity > BufferKeptBytes)
        {
            _buffer = new ArrayBufferWriter<byte>(512);
            Json.Reset(_buffer);
            return;
        }

        _buffer.ResetWrittenCount();
        Json.Reset();
    }

    /// <summary>Ends a line of NDJSON; the next object begins on a new one.</summary>
    public void EndLine() => Raw("\n"u8);

    /// <summary>Bytes between two JSON values.</summary>
    public void Raw(ReadOnlySpan<byte> bytes)
    {
        Json.Flush();
        _buffer.Write(bytes);
        Json.Reset();
    }

    /// <summary>A number between two JSON values.</summary>
    public void Raw(long number)
    {
        Span<byte> digits = stackalloc byte[20];
        number.TryFormat(digits, out int length, default, System.Globalization.CultureInfo.InvariantCulture);
        Raw(digits[..length]);
    }

    /// <summary>A hold that was just made, from what was asked: the kernel needs to build no view for it.</summary>
    /// <param name="body">What was asked.</param>
    /// <param name="expiresAtMs">Its deadline.</param>
    /// <param name="status">The status of a line of a batch; 0: not one.</param>
    public void NewHold(BodyReader body, long expiresAtMs, int status = 0)
    {
        Json.WriteStartObject();
        WriteStatus(status);
        Json.WriteString(Id, body.Text(Fields.Id));
        WriteOwner(body.Text(Fields.Owner));
        Json.WriteString(State, States[(int)HoldState.Held]);
        WriteInstant(ExpiresAt, expiresAtMs);
        Json.WriteStartArray(Lines);
        for (int i = 0; i < body.LineCount; i++)
        {
            // As the kernel does: lines on the same resource are one, at the first one's place.
            long quantity = 0;
            bool first = true;
            for (int j = 0; j < body.LineCount; j++)
            {
                if (i == j || body.LineResource(i).SequenceEqual(body.LineResource(j)))
                {
                    first &= j >= i;
                    quantity += body.LineQuantity(j);
                }
            }

            if (first)
            {
                Json.WriteStartObject();
                Json.WriteString(ResourceName, body.LineResource(i));
                WriteQuantities(quantity, quantity, 0, 0);
            }
        }

        Json.WriteEndArray();
        Json.WriteEndObject();
    }

    /// <summary>A hold as it stands.</summary>
    public void Hold(HoldView hold, int status = 0)
    {
        Json.WriteStartObject();
        WriteStatus(status);
        HoldMembers(hold);
        Json.WriteEndObject();
    }

    /// <summary>A resource as it stands.</summary>
    /// <param name="resource">The resource.</param>
    /// <param name="status">The status of a line of a batch; 0: not one.</param>
    /// <param name="deficit">Units sold or held that are not there; 0: none, and nothing is said of it.</param>
    /// <param name="holdsAtRisk">The newest holds that together hold the deficit; null: not known.</param>
    public void Resource(ResourceView resource, int status = 0, long deficit = 0, IReadOnlyList<ListedHold>? holdsAtRisk = null)
    {
        Json.WriteStartObject();
        WriteStatus(status);
        Json.WriteString(Id, resource.Id);
        Json.WriteNumber("available"u8, resource.Available);
        Json.WriteNumber(Held, resource.Held);
        Json.WriteNumber(Consumed, resource.Consumed);
        Json.WriteNumber("supplied"u8, resource.Supplied);
        Json.WriteNumber("version"u8, resource.Version);
        WritePolicy(resource.Policy);
        if (deficit > 0)
        {
            Json.WriteNumber("deficit"u8, deficit);
            if (holdsAtRisk is not null)
            {
                Json.WriteStartArray("holdsAtRisk"u8);
                foreach (ListedHold hold in holdsAtRisk)
                {
                    Json.WriteStringValue(hold.Hold.Id);
                }

                Json.WriteEndArray();
            }
        }

        Json.WriteEndObject();
    }

    /// <summary>A hold in a list.</summary>
    public void ListedHold(ListedHold listed)
    {
        Json.WriteStartObject();
        HoldMembers(listed.Hold);
        WriteInstant(CreatedAt, listed.Hold.CreatedAtMs);
        WriteInstant(FinishedAt, listed.FinishedAtMs ?? 0);
        Json.WriteNumber("sequence"u8, listed.Sequence);
        Json.WriteEndObject();
    }

    /// <summary>A change of a resource's buckets.</summary>
    public void Movement(Movement movement)
    {
        Json.WriteStartObject();
        Json.WriteNumber("sequence"u8, movement.Sequence);
        Json.WriteNumber("ordinal"u8, movement.Ordinal);
        WriteInstant(Time, movement.TimeMs);
        Json.WriteString("kind"u8, EventTexts.Of(movement.Kind));
        Json.WriteString("hold"u8, movement.Hold);
        Json.WriteNumber("available"u8, movement.Available);
        Json.WriteNumber(Held, movement.Held);
        Json.WriteNumber(Consumed, movement.Consumed);
        Json.WriteString("reason"u8, movement.Reason);
        Json.WriteString("reference"u8, movement.Reference);
        Json.WriteEndObject();
    }

    /// <summary>Problem details (RFC 9457).</summary>
    public void Problem(Problem problem, string detail, Refusal? refusal = null)
    {
        Json.WriteStartObject();
        Json.WriteString("type"u8, "urn:holdfast:problem:" + problem.Code);
        Json.WriteString("title"u8, problem.Title);
        Json.WriteNumber(Status, problem.Status);
        Json.WriteString("detail"u8, detail);
        Json.WriteString("code"u8, problem.Code);
        if (refusal is { Resource: { } resource })
        {
            Json.WriteString(ResourceName, resource);
        }

        if (refusal is { Asked: { } asked })
        {
            Json.WriteNumber("asked"u8, asked);
        }

        if (refusal is { Available: { } available })
        {
            Json.WriteNumber("available"u8, available);
        }

        if (refusal is { Hold: { } hold })
        {
            Json.WriteString("hold"u8, hold);
        }

        Json.WriteEndObject();
    }

    /// <summary>An instant as 2026-01-02T03:04:05.678Z, or null for 0.</summary>
    public void WriteInstant(JsonEncodedText name, long unixMs)
    {
        if (unixMs == 0)
        {
            Json.WriteNull(name);
            return;
        }

        // The round-trip form has seven places after the point; three are meant.
        Span<byte> text = stackalloc byte[28];
        DateTimeOffset.FromUnixTimeMilliseconds(unixMs).UtcDateTime.TryFormat(text, out _, "O");
        text[23] = (byte)'Z';
        Json.WriteString(name, text[..24]);
    }

    public void Dispose() => Json.Dispose();

    private void HoldMembers(HoldView hold)
    {
        Json.WriteString(Id, hold.Id);
        Json.WriteString(Owner, hold.Owner);
        Json.WriteString(State, States[(int)hold.State]);
        WriteInstant(ExpiresAt, hold.ExpiresAtMs);
        Json.WriteStartArray(Lines);
        foreach (HoldLineView line in hold.Lines)
        {
            Json.WriteStartObject();
            Json.WriteString(ResourceName, line.Resource);
            WriteQuantities(line.Quantity, line.Held, line.Consumed, line.Returned);
        }

        Json.WriteEndArray();
    }

    private void WriteQuantities(long quantity, long held, long consumed, long returned)
    {
        Json.WriteNumber(QuantityName, quantity);
        Json.WriteNumber(Held, held);
        Json.WriteNumber(Consumed, consumed);
        Json.WriteNumber(Returned, returned);
        Json.WriteEndObject();
    }

    private void WriteOwner(ReadOnlySpan<byte> owner)
    {
        if (owner.IsEmpty)
        {
            Json.WriteNull(Owner);
        }
        else
        {
            Json.WriteString(Owner, owner);
        }
    }

    private void WritePolicy(ResourcePolicy policy)
    {
        WriteNullable("limitPerOwner"u8, policy.LimitPerOwner);
        WriteInstant(OpensAt, policy.OpensAtMs ?? 0);
        WriteInstant(ClosesAt, policy.ClosesAtMs ?? 0);
        Json.WriteString(Owner, policy.Owner);
        Json.WriteNumber("overdraft"u8, policy.Overdraft);
        if (policy.HoldMs is { } holdMs)
        {
            // Whole seconds without a point, so that clients with whole seconds read them.
            Json.WriteNumber("holdSeconds"u8, holdMs % 1000 == 0 ? holdMs / 1000 : holdMs / 1000m);
        }
        else
        {
            Json.WriteNull("holdSeconds"u8);
        }

        Json.WriteBoolean("disabled"u8, policy.Disabled);
        Json.WriteNumber("safetyStock"u8, policy.SafetyStock);
    }

    private void WriteNullable(ReadOnlySpan<byte> name, long? value)
    {
        if (value is { } number)
        {
            Json.WriteNumber(name, number);
        }
        else
        {
            Json.WriteNull(name);
        }
    }

    private void WriteStatus(int status)
    {
        if (status != 0)
        {
            Json.WriteNumber(Status, status);
        }
    }
}
