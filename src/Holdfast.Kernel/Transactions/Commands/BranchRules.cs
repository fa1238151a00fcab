using System.Text;

namespace Holdfast.Kernel;

/// <summary>What may be a branch and a call. Checked on the caller's thread; each method says what is wrong, or null.</summary>
internal static class BranchRules
{
    public const int MaxBranches = 64;
    public const int MaxNameBytes = 64;
    public const int MaxBodyBytes = 64 * 1024;
    public const int MaxUrlBytes = 2048;
    public const int MaxHeaders = 16;
    public const int MaxHeaderBytes = 4096;
    public const int MinCallTimeoutMs = 50;
    public const int MaxCallTimeoutMs = 300_000;

    public static string? Problem(NameHasher hasher, BranchSpec branch, string transaction)
    {
        byte[] name = Encoding.UTF8.GetBytes(branch.Name);
        if (Name.Problem(name, "a branch's name") is { } wrong)
        {
            return wrong;
        }

        if (name.Length > MaxNameBytes || branch.Name.Contains(':', StringComparison.Ordinal) || branch.Name == "-")
        {
            return $"branch '{branch.Name}': a name has at most 64 bytes, no colon, and is not '-'";
        }

        if (branch.Hold is { } hold)
        {
            return HoldProblem(hasher, branch, hold, transaction);
        }

        if (branch.Try is null && branch.Confirm is null && branch.Cancel is null)
        {
            return $"branch '{branch.Name}' has neither a call (try, confirm, cancel) nor a hold";
        }

        return Problem(branch.Try, branch.Name, "try") ?? Problem(branch.Confirm, branch.Name, "confirm") ?? Problem(branch.Cancel, branch.Name, "cancel");
    }

    public static string? Problem(CallSpec? call, string branch, string op)
    {
        if (call is null)
        {
            return null;
        }

        string where = $"branch '{branch}', {op}: ";
        if (call.Url.Length > MaxUrlBytes || !Uri.TryCreate(call.Url, UriKind.Absolute, out Uri? uri) || (uri.Scheme != "http" && uri.Scheme != "https"))
        {
            return where + "url must be an absolute http or https address of at most 2,048 characters";
        }

        if (call.Body.Length > MaxBodyBytes)
        {
            return where + "the body has more than 64 KiB";
        }

        if (call.TimeoutMs != 0 && call.TimeoutMs is < MinCallTimeoutMs or > MaxCallTimeoutMs)
        {
            return where + "timeoutSeconds must be from 0.05 to 300";
        }

        int bytes = 0;
        foreach ((string name, string value) in call.Headers)
        {
            bytes += name.Length + value.Length;
            if (!IsToken(name) || value.AsSpan().IndexOfAnyExceptInRange(' ', '~') >= 0)
            {
                return where + $"header '{name}' is not a valid header";
            }

            if (IsOurs(name))
            {
                return where + $"header '{name}' is set by the coordinator";
            }
        }

        return call.Headers.Count > MaxHeaders || bytes > MaxHeaderBytes ? where + "more than 16 headers, or 4 KiB of them" : null;
    }

    /// <summary>Whether every name in an <c>after</c> is a branch, and none waits for itself. Null: a graph.</summary>
    public static string? GraphProblem(IReadOnlyList<BranchSpec> branches)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (BranchSpec branch in branches)
        {
            if (!names.Add(branch.Name))
            {
                return $"two branches are named '{branch.Name}'";
            }
        }

        foreach (BranchSpec branch in branches)
        {
            foreach (string name in branch.After ?? [])
            {
                if (!names.Contains(name))
                {
                    return $"branch '{branch.Name}' is after '{name}', which is not a branch";
                }
            }
        }

        // Takes away what waits for nothing that is left; what remains waits in a circle.
        var left = branches.ToList();
        while (left.RemoveAll(b => (b.After ?? []).All(name => left.TrueForAll(other => other.Name != name))) > 0)
        {
        }

        return left.Count == 0 ? null : $"branch '{left[0].Name}' waits for itself: after makes a circle";
    }

    private static string? HoldProblem(NameHasher hasher, BranchSpec branch, HoldSpec hold, string transaction)
    {
        if (branch.Try is not null || branch.Confirm is not null || branch.Cancel is not null)
        {
            return $"branch '{branch.Name}' has both a hold and calls";
        }

        if (Encoding.UTF8.GetByteCount(transaction) + 1 + Encoding.UTF8.GetByteCount(branch.Name) > Name.MaxBytes)
        {
            return $"branch '{branch.Name}': its hold's id (transaction:branch) is longer than 128 bytes";
        }

        var command = new TryHold(hasher);
        hold.Fill(command, transaction + ":" + branch.Name, hold.TtlMs);
        string? problem = hold.Lines.Count == 0 ? "a hold needs at least one line" : command.Problem;
        return problem is null ? null : $"branch '{branch.Name}': {problem}";
    }

    private static bool IsOurs(string header) =>
        header.StartsWith("holdfast-", StringComparison.OrdinalIgnoreCase)
        || header.StartsWith("webhook-", StringComparison.OrdinalIgnoreCase)
        || header.ToLowerInvariant() is "traceparent" or "host" or "content-length" or "expect" || IsOfTheConnection(header);

    /// <summary>Between two neighbours, not part of what is told (RFC 9110, section 7.6.1).</summary>
    private static bool IsOfTheConnection(string header) =>
        header.ToLowerInvariant() is "connection" or "keep-alive" or "te" or "trailer" or "transfer-encoding" or "upgrade"
            or "proxy-connection" or "proxy-authorization" or "proxy-authenticate";

    private static bool IsToken(string name)
    {
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal))
            {
                return false;
            }
        }

        return name.Length > 0;
    }
}
