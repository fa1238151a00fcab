using System.Buffers;
using System.Text;
using System.Text.Unicode;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// The typed calls over a space's loop: fills a command, sends it, words the answer. Without a space these are calls of the one that
/// nobody names, looked up at the first call: hosts make all that is injected before they start anything.
/// </summary>
internal sealed class SpaceClient(SpaceHost host, Space? space = null) : IHoldfast
{
    // Not UTF-8 on purpose: the kernel then says which of a command's texts is not one.
    private static readonly byte[] NoUtf8 = [0xFF];

    private Space? _space = space;

    public string SpaceName => _space?.Name ?? SpaceHost.DefaultName;

    private Space Space => _space ?? FindDefault();

    public IHoldfast In(string name)
    {
        if (host.Find(name) is { } other)
        {
            return new SpaceClient(host, other);
        }

        _ = host.Default; // where nothing is started, that is what is wrong
        throw new HoldfastException($"There is no space '{name}'. Create it first: PUT /v1/spaces/{name}, or SpaceHost.CreateAsync.");
    }

    public ValueTask<Outcome<HoldView>> TryHoldAsync(HoldRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var command = new TryHold(host.Hasher);
        command.Reset(
            Bytes(request.Id),
            Bytes(request.Owner),
            request.Ttl is { } ttl ? Math.Max(0, Milliseconds(ttl)) : 0,
            request.IssuedAt is { } issuedAt ? Math.Max(1, issuedAt.ToUnixTimeMilliseconds()) : 0); // 0 would mean "not said"
        AddLines(command, request.Lines);
        if (request.Owner is { Length: 0 })
        {
            command.Fail("the owner is empty: leave it out (null) when nobody is named");
        }

        if (request.Ttl <= TimeSpan.Zero)
        {
            command.Fail("ttl must be above zero: leave it out (null) for the default");
        }

        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> ConfirmAsync(string id, IReadOnlyList<HoldLine>? lines = null, bool keepRemainder = false, CancellationToken cancellationToken = default)
    {
        var command = new ConfirmHold(host.Hasher);
        command.Reset(Bytes(id), keepRemainder);
        AddLines(command, lines);
        if (lines is { Count: 0 })
        {
            // Nobody who gives an empty list means "everything".
            command.Fail("lines is empty: leave it out to confirm everything");
        }

        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> CancelAsync(string id, CancellationToken cancellationToken = default)
    {
        var command = new CancelHold(host.Hasher);
        command.Reset(Bytes(id));
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> ExtendAsync(string id, TimeSpan ttl, CancellationToken cancellationToken = default)
    {
        var command = new ExtendHold(host.Hasher);
        command.Reset(Bytes(id), Milliseconds(ttl));
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> ReturnAsync(string id, string returnId, IReadOnlyList<HoldLine> lines, string reason, CancellationToken cancellationToken = default)
    {
        var command = new ReturnUnits(host.Hasher);
        command.Reset(Bytes(id), Bytes(returnId), Bytes(reason));
        AddLines(command, lines);
        NeedReason(command, reason);
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> GetHoldAsync(string id, CancellationToken cancellationToken = default)
    {
        var command = new GetHold(host.Hasher);
        command.Reset(Bytes(id));
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<ResourceView>> PutResourceAsync(string id, ResourcePolicy policy, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var command = new PutResource(host.Hasher);
        command.Reset(Bytes(id), policy);
        if (policy.Owner is { } owner && Name.Problem(Bytes(owner), "owner") is { } problem)
        {
            command.Fail(problem);
        }

        return SendAsync<ResourceView>(command, cancellationToken);
    }

    public ValueTask<Outcome<ResourceView>> AdjustAsync(string resource, SupplyAdjustment adjustment, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(adjustment);
        var command = new AdjustSupply(host.Hasher);
        if (adjustment is { Delta: { } delta, Set: null })
        {
            command.ResetDelta(Bytes(resource), Bytes(adjustment.Id), delta, Bytes(adjustment.Reason), adjustment.Force);
        }
        else
        {
            command.ResetSet(Bytes(resource), Bytes(adjustment.Id), adjustment.Set ?? 0, adjustment.ExpectedVersion ?? 0, Bytes(adjustment.Reason));
        }

        string? problem = adjustment switch
        {
            { Delta: null, Set: null } or { Delta: not null, Set: not null } => "an adjustment has either delta, or set with expectedVersion",
            { Set: not null, ExpectedVersion: null } => "expectedVersion is missing: set counts only for the version of the resource that you saw",
            { Delta: not null, ExpectedVersion: not null } => "expectedVersion goes with set, not with delta",
            { Set: not null, Force: true } => "force goes with delta, not with set",
            _ => null,
        };
        if (problem is not null)
        {
            command.Fail(problem);
        }

        NeedReason(command, adjustment.Reason);
        return SendAsync<ResourceView>(command, cancellationToken);
    }

    public ValueTask<Outcome<ResourceView>> GetResourceAsync(string id, CancellationToken cancellationToken = default)
    {
        var command = new GetResource(host.Hasher);
        command.Reset(Bytes(id));
        return SendAsync<ResourceView>(command, cancellationToken);
    }

    private static byte[] Bytes(string? text)
    {
        byte[] utf8 = text is null ? [] : new byte[Encoding.UTF8.GetByteCount(text)];
        return Utf8.FromUtf16(text, utf8, out _, out _, replaceInvalidSequences: false) == OperationStatus.Done ? utf8 : NoUtf8;
    }

    /// <summary>Rounded up: what was asked for above zero must not become 0, which says nothing.</summary>
    private static long Milliseconds(TimeSpan time) =>
        Math.DivRem(time.Ticks, TimeSpan.TicksPerMillisecond, out long rest) + (rest > 0 ? 1 : 0);

    private static void NeedReason(Command command, string? reason)
    {
        if (string.IsNullOrEmpty(reason))
        {
            command.Fail("reason is missing: say why, for the audit trail");
        }
    }

    private static void AddLines(LinedCommand command, IReadOnlyList<HoldLine>? lines)
    {
        for (int i = 0; i < (lines?.Count ?? 0); i++)
        {
            command.AddLine(Bytes(lines![i].Resource), lines[i].Quantity);
        }
    }

    private async ValueTask<Outcome<T>> SendAsync<T>(Command command, CancellationToken cancellationToken)
        where T : class
    {
        cancellationToken.ThrowIfCancellationRequested();
        command.WantsView = true;
        ValueTask<Answer> sent = Space.AskAsync(command);
        Answer answer = cancellationToken.CanBeCanceled
            ? await sent.AsTask().WaitAsync(cancellationToken).ConfigureAwait(false)
            : await sent.ConfigureAwait(false);
        return answer.Code == Code.Ok
            ? new Outcome<T>(Code.Ok, (T?)answer.Detail, answer.Repeat, null)
            : new Outcome<T>(answer.Code, null, false, Refusal.From(answer));
    }

    private Space FindDefault()
    {
        Space found = host.Default;
        if (found.Status == SpaceStatus.Running)
        {
            _space = found; // not before: a start that fails takes its space away again
        }

        return found;
    }
}
