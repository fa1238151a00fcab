using System.Text;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>The typed calls over a space's loop: fills a command, sends it, words the answer.</summary>
internal sealed class SpaceClient(Space space, SpaceHost host) : IHoldfast
{
    public string SpaceName => space.Name;

    public IHoldfast In(string name) =>
        host.Find(name) is { } other
            ? new SpaceClient(other, host)
            : throw new HoldfastException($"There is no space '{name}'. Create it first: PUT /v1/spaces/{name}, or SpaceHost.CreateAsync.");

    public ValueTask<Outcome<HoldView>> TryHoldAsync(HoldRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var command = new TryHold(space.Hasher);
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
        var command = new ConfirmHold(space.Hasher);
        command.Reset(Bytes(id), keepRemainder);
        AddLines(command, lines);
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> CancelAsync(string id, CancellationToken cancellationToken = default)
    {
        var command = new CancelHold(space.Hasher);
        command.Reset(Bytes(id));
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> ExtendAsync(string id, TimeSpan ttl, CancellationToken cancellationToken = default)
    {
        var command = new ExtendHold(space.Hasher);
        command.Reset(Bytes(id), Milliseconds(ttl));
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> ReturnAsync(string id, string returnId, IReadOnlyList<HoldLine> lines, string reason, CancellationToken cancellationToken = default)
    {
        var command = new ReturnUnits(space.Hasher);
        command.Reset(Bytes(id), Bytes(returnId), Bytes(reason));
        AddLines(command, lines);
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<HoldView>> GetHoldAsync(string id, CancellationToken cancellationToken = default)
    {
        var command = new GetHold(space.Hasher);
        command.Reset(Bytes(id));
        return SendAsync<HoldView>(command, cancellationToken);
    }

    public ValueTask<Outcome<ResourceView>> PutResourceAsync(string id, ResourcePolicy policy, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var command = new PutResource(space.Hasher);
        command.Reset(Bytes(id), policy);
        return SendAsync<ResourceView>(command, cancellationToken);
    }

    public ValueTask<Outcome<ResourceView>> AdjustAsync(string resource, SupplyAdjustment adjustment, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(adjustment);
        var command = new AdjustSupply(space.Hasher);
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
        var command = new GetResource(space.Hasher);
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
        ValueTask<Answer> sent = space.AskAsync(command);
        Answer answer = cancellationToken.CanBeCanceled
            ? await sent.AsTask().WaitAsync(cancellationToken)
            : await sent;
        return answer.Code == Code.Ok
            ? new Outcome<T>(Code.Ok, (T?)answer.Detail, answer.Repeat, null)
            : new Outcome<T>(answer.Code, null, false, Refusal.From(answer));
    }
}
