using System.Text;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// The typed calls over a space's loop: fills a command, sends it, words the answer. Without a space these are calls of the one that
/// nobody names, looked up at the first call: hosts make all that is injected before they start anything.
/// </summary>
internal sealed class SpaceClient(SpaceHost host, Space? space = null) : IHoldfast
{
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
            request.Owner is null ? [] : Bytes(request.Owner),
            request.Ttl is { } ttl ? Milliseconds(ttl) : 0,
            request.IssuedAt?.ToUnixTimeMilliseconds() ?? 0);
        AddLines(command, request.Lines);
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> ConfirmAsync(string id, IReadOnlyList<HoldLine>? lines = null, bool keepRemainder = false, CancellationToken cancellationToken = default)
    {
        var command = new ConfirmHold(host.Hasher);
        command.Reset(Bytes(id), keepRemainder);
        AddLines(command, lines);
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
        return SendAsync<ResourceView>(command, cancellationToken);
    }

    public ValueTask<Outcome<ResourceView>> AdjustAsync(string resource, SupplyAdjustment adjustment, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(adjustment);
        var command = new AdjustSupply(host.Hasher);
        switch (adjustment)
        {
            case { Delta: { } delta, Set: null }:
                command.ResetDelta(Bytes(resource), Bytes(adjustment.Id), delta, Bytes(adjustment.Reason), adjustment.Force);
                break;
            case { Delta: null, Set: { } set, ExpectedVersion: { } version, Force: false }:
                command.ResetSet(Bytes(resource), Bytes(adjustment.Id), set, version, Bytes(adjustment.Reason));
                break;
            default:
                command.Fail("an adjustment has either delta (and maybe force), or set with expectedVersion");
                break;
        }

        return SendAsync<ResourceView>(command, cancellationToken);
    }

    public ValueTask<Outcome<ResourceView>> GetResourceAsync(string id, CancellationToken cancellationToken = default)
    {
        var command = new GetResource(host.Hasher);
        command.Reset(Bytes(id));
        return SendAsync<ResourceView>(command, cancellationToken);
    }

    private static byte[] Bytes(string? text) => text is null ? [] : Encoding.UTF8.GetBytes(text);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

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
