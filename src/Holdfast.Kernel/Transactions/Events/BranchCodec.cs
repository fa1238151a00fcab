namespace Holdfast.Kernel;

/// <summary>
/// Branches and calls as bytes. Commands encode them on their caller's thread; the same bytes go into the journal, and
/// their fingerprint tells a repeat from another body.
/// </summary>
internal static class BranchCodec
{
    private const byte HasTry = 1, HasConfirm = 2, HasCancel = 4, HasHold = 8, HasAfter = 16, AfterPrevious = 32;
    private const byte KnownFlags = 63;

    public static void Write(EventBuffer output, BranchSpec branch, bool afterPrevious)
    {
        output.Text(branch.Name);
        output.Byte((byte)((branch.Try is null ? 0 : HasTry)
            | (branch.Confirm is null ? 0 : HasConfirm)
            | (branch.Cancel is null ? 0 : HasCancel)
            | (branch.Hold is null ? 0 : HasHold)
            | (branch.After is null ? 0 : HasAfter)
            | (afterPrevious ? AfterPrevious : 0)));
        if (branch.After is not null)
        {
            output.VarUInt((ulong)branch.After.Count);
            foreach (string name in branch.After)
            {
                output.Text(name);
            }
        }

        WriteCall(output, branch.Try);
        WriteCall(output, branch.Confirm);
        WriteCall(output, branch.Cancel);
        if (branch.Hold is { } hold)
        {
            output.Text(hold.Owner);
            output.VarUInt((ulong)hold.TtlMs);
            output.VarUInt((ulong)hold.Lines.Count);
            foreach ((string resource, long quantity) in hold.Lines)
            {
                output.Text(resource);
                output.VarInt(quantity);
            }
        }
    }

    public static EncodedBranch Read(ref EventReader reader)
    {
        string name = reader.String();
        byte flags = reader.Flags(KnownFlags);
        string[]? after = null;
        if ((flags & HasAfter) != 0)
        {
            after = new string[checked((int)reader.VarUInt())];
            for (int i = 0; i < after.Length; i++)
            {
                after[i] = reader.String();
            }
        }

        CallSpec? call = (flags & HasTry) != 0 ? ReadCall(ref reader) : null;
        CallSpec? confirm = (flags & HasConfirm) != 0 ? ReadCall(ref reader) : null;
        CallSpec? cancel = (flags & HasCancel) != 0 ? ReadCall(ref reader) : null;
        HoldSpec? hold = null;
        if ((flags & HasHold) != 0)
        {
            string owner = reader.String();
            long ttl = reader.VarLong();
            var lines = new KeyValuePair<string, long>[checked((int)reader.VarUInt())];
            for (int i = 0; i < lines.Length; i++)
            {
                lines[i] = new(reader.String(), reader.VarInt());
            }

            hold = new HoldSpec(owner.Length == 0 ? null : owner, ttl, lines);
        }

        return new EncodedBranch(new BranchSpec(name) { After = after, Try = call, Confirm = confirm, Cancel = cancel, Hold = hold }, (flags & AfterPrevious) != 0);
    }

    public static void WriteCall(EventBuffer output, CallSpec? call)
    {
        if (call is null)
        {
            return;
        }

        output.Text(call.Url);
        output.Text(call.Body.Span);
        output.VarUInt((ulong)call.TimeoutMs);
        output.VarUInt((ulong)call.Headers.Count);
        foreach ((string name, string value) in call.Headers)
        {
            output.Text(name);
            output.Text(value);
        }
    }

    public static CallSpec ReadCall(ref EventReader reader)
    {
        string url = reader.String();
        byte[] body = reader.Text().ToArray();
        int timeout = checked((int)reader.VarUInt());
        var headers = new KeyValuePair<string, string>[checked((int)reader.VarUInt())];
        for (int i = 0; i < headers.Length; i++)
        {
            headers[i] = new(reader.String(), reader.String());
        }

        return new CallSpec(url, body, headers, timeout);
    }
}
