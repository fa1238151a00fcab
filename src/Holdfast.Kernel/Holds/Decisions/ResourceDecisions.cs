using System.Text;

namespace Holdfast.Kernel;

/// <summary>Decides what is asked of a resource: put, adjust, get.</summary>
internal sealed class ResourceDecisions(Ledger ledger, EventSink output, HoldOptions options)
{
    public Answer Put(PutResource command)
    {
        int number = ledger.Resources.Find(command.Id.Hash, command.IdBytes);
        bool created = number < 0;
        bool same = !created && ledger.Resources[number].Policy == command.Policy;
        if (command.Policy.HoldMs > options.MaxLifeMs)
        {
            return Answer.Refused(Code.Invalid, "holdSeconds is longer than the longest life of a hold in this space");
        }

        if (!same)
        {
            output.ResourcePut(command.IdBytes, command.Policy);
            number = ledger.Resources.Find(command.Id.Hash, command.IdBytes);
        }

        return Done(ledger.Resources[number], repeat: !created);
    }

    public Answer Adjust(AdjustSupply command)
    {
        int number = ledger.Resources.Find(command.Id.Hash, command.IdBytes);
        if (number < 0)
        {
            return Unknown(command);
        }

        Resource resource = ledger.Resources[number];
        string id = Encoding.UTF8.GetString(command.Bytes(command.AdjustmentId));
        var asked = new KnownAdjustment(command.Absolute, command.Force, command.Value, command.ExpectedVersion);
        bool isKnown = resource.Adjustments.TryGetValue(id, out KnownAdjustment known);
        if (isKnown && known == asked)
        {
            return Done(resource, repeat: true);
        }

        long delta = command.Absolute ? command.Value - resource.Available : command.Value;
        if (resource.Supplied + delta is < -Quantity.Max or > Quantity.Max)
        {
            return Answer.Refused(Code.Invalid, "the resource's supply would overflow");
        }

        if (isKnown)
        {
            return Answer.Refused(Code.Conflict, "this adjustment id is known with another change");
        }

        if (command.Absolute && command.ExpectedVersion != resource.Version)
        {
            return new Answer
            {
                Code = Code.VersionMismatch,
                Resource = resource.Name,
                Asked = command.ExpectedVersion,
                Available = resource.Version,
            };
        }

        if (delta < 0 && resource.Available + delta < 0 && !command.Force)
        {
            return new Answer
            {
                Code = Code.Insufficient,
                Resource = resource.Name,
                Asked = -delta,
                Available = Math.Max(0, resource.Available),
            };
        }

        output.SupplyAdjusted(number, command, delta);
        return Done(resource, repeat: false);
    }

    public Answer Get(GetResource command)
    {
        int number = ledger.Resources.Find(command.Id.Hash, command.IdBytes);
        return number < 0 ? Unknown(command) : Done(ledger.Resources[number], repeat: false);
    }

    private static Answer Unknown(Command command) =>
        new() { Code = Code.UnknownResource, Resource = command.IdBytes.ToArray() };

    private static Answer Done(Resource resource, bool repeat) =>
        new() { Repeat = repeat, Available = resource.Available, Detail = resource.View() };
}
