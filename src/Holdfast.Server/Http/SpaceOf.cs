using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>Which space a call is for.</summary>
internal sealed class SpaceOf(SpaceHost host, SpaceStarter starter)
{
    private const string RouteValue = "space";

    /// <summary>The space that the path names, or <c>default</c>; null when there is none that answers.</summary>
    public Space? Find(HttpContext context, out Problem problem, out string detail) => Find(NameOf(context), out problem, out detail);

    /// <summary>The name of the space that the path names, whether there is one or not, or <c>default</c>.</summary>
    public static string NameOf(HttpContext context) =>
        // The front door's calls come before routing and have no values.
        context.Request.RouteValues.Count > 0 && context.GetRouteValue(RouteValue) is string named ? named : SpaceHost.DefaultName;

    /// <summary>A space by name.</summary>
    public Space? Find(string name, out Problem problem, out string detail)
    {
        Space? space = host.Find(name);
        if (space is { Status: not SpaceStatus.Starting })
        {
            (problem, detail) = (Problem.SpaceNotFound, "");
            return space;
        }

        (problem, detail) = space is not null || !starter.Started
            ? (Problem.Of(Code.Unavailable), "the server is still reading its journal: nothing was executed, ask again")
            : (Problem.SpaceNotFound, $"there is no space {name}: create it with PUT /v1/spaces/{name}");
        return null;
    }
}
