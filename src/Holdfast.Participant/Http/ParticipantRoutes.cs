using Holdfast.Participant;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Makes a service a participant.</summary>
public static class ParticipantRoutes
{
    /// <summary>Sets what all participants of the service share.</summary>
    public static IServiceCollection AddHoldfastParticipant(this IServiceCollection services, Action<ParticipantOptions> configure)
    {
        services.Configure(configure);
        return services;
    }

    /// <summary>
    /// Maps a participant: <c>app.MapParticipant("/points", p => p.Try(...).Confirm(...).Cancel(...))</c> answers POST
    /// <c>/points/try</c>, <c>/points/confirm</c> and <c>/points/cancel</c>. Each call's signature is checked, the barrier
    /// lets it through once, and the result becomes 200, 409 or 425; an exception rolls back and becomes 500, which the
    /// coordinator repeats.
    /// </summary>
    public static IEndpointConventionBuilder MapParticipant(this IEndpointRouteBuilder routes, string prefix, Action<ParticipantBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(routes);
        ArgumentNullException.ThrowIfNull(configure);
        var builder = new ParticipantBuilder();
        configure(builder);
        if (builder.Actions.Count == 0)
        {
            throw new ArgumentException("A participant needs at least one action: Try, Confirm or Cancel.", nameof(configure));
        }

        ParticipantRuntime runtime = Runtime(routes);
        RouteGroupBuilder group = routes.MapGroup(prefix);
        foreach ((BranchOp op, BranchAction action) in builder.Actions)
        {
            var endpoint = new ParticipantEndpoint(runtime, op, action, builder.Actions.ContainsKey(BranchOp.Try));
            group.MapPost(op.ToString().ToLowerInvariant(), (RequestDelegate)endpoint.HandleAsync);
        }

        return group;
    }

    /// <summary>Answers the check-backs of the messages whose local work <see cref="MessageBarrier.LocalAsync"/> does in this service's database.</summary>
    public static IEndpointConventionBuilder MapCheckBack(this IEndpointRouteBuilder routes, string path)
    {
        ArgumentNullException.ThrowIfNull(routes);
        var endpoint = new ParticipantEndpoint(Runtime(routes), BranchOp.Check, null, expectsTry: false);
        return routes.MapPost(path, (RequestDelegate)endpoint.HandleAsync);
    }

    private static ParticipantRuntime Runtime(IEndpointRouteBuilder routes) => new(
        routes.ServiceProvider.GetRequiredService<IOptions<ParticipantOptions>>().Value,
        routes.ServiceProvider.GetService<TimeProvider>() ?? TimeProvider.System);
}
