using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Holdfast.Server;

/// <summary>Which role an endpoint needs; none: it stands open.</summary>
internal sealed record Needs(Roles Role);

/// <summary>Lets calls through to those who may make them.</summary>
internal sealed class Access(ApiKeys keys)
{
    private const string Scheme = "Bearer ";

    // Last seen and found to be good: nearly every call names the same.
    private string? _ownHost;

    /// <summary>Null when the call may go on; otherwise why not.</summary>
    public (Problem Problem, string Detail)? Refuses(HttpContext context, Roles needed)
    {
        if (FromAnotherSite(context.Request))
        {
            return (Problem.Forbidden, "a web page of another origin may not call this server");
        }

        if (needed == Roles.None)
        {
            return null;
        }

        if (!keys.Required)
        {
            return IsOwnHost(context.Request.Headers.Host)
                ? null
                : (Problem.Forbidden, "without API keys this server answers to its address, localhost and names of a private network only: set API keys to serve under a public name");
        }

        StringValues header = context.Request.Headers.Authorization;
        if (header.Count != 1 || !header[0]!.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return (Problem.Unauthorized, "send an API key: Authorization: Bearer KEY");
        }

        return keys.Find(header[0].AsSpan(Scheme.Length).Trim()) switch
        {
            null => (Problem.Unauthorized, "the API key is not known here"),
            { } key when (key.Roles & needed) != needed =>
                (Problem.Forbidden, $"the API key '{key.Name}' does not have the role {needed.ToString().ToLowerInvariant()}"),
            _ => null,
        };
    }

    /// <summary>
    /// Whether the name that the caller called can't be a stranger's. A web page's own name can be made to lead to this machine
    /// once the page is loaded (DNS rebinding), and what it then calls is of its own origin; but only under its name. Addresses,
    /// names without a dot and those of private networks (RFC 6761, RFC 6762, RFC 9476's .internal) are nobody's to register.
    /// </summary>
    private bool IsOwnHost(StringValues header)
    {
        string host = header.ToString();
        if (host.Length == 0 || string.Equals(host, _ownHost, StringComparison.Ordinal))
        {
            return true;
        }

        string name = new HostString(host).Host.TrimEnd('.');
        bool own = !name.Contains('.', StringComparison.Ordinal) || IPAddress.TryParse(name.AsSpan().Trim("[]"), out _)
            || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".local", StringComparison.OrdinalIgnoreCase)
            || name.EndsWith(".internal", StringComparison.OrdinalIgnoreCase);
        if (own)
        {
            _ownHost = host;
        }

        return own;
    }

    /// <summary>
    /// A server on loopback needs no keys, but the pages that its user's browser shows are not its user: a browser names
    /// the page's origin whenever one of them sends something, and only our own pages (/docs) may.
    /// </summary>
    private static bool FromAnotherSite(HttpRequest request)
    {
        StringValues origin = request.Headers.Origin;
        if (StringValues.IsNullOrEmpty(origin) || HttpMethods.IsGet(request.Method))
        {
            return false;
        }

        return !Uri.TryCreate(origin[0], UriKind.Absolute, out Uri? uri)
            || !string.Equals(uri.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);
    }
}

/// <summary>Applies <see cref="Access"/> to routed calls.</summary>
internal sealed class AccessMiddleware(RequestDelegate next, Access access, CallPool calls)
{
    public Task InvokeAsync(HttpContext context)
    {
        // What is no endpoint of ours needs a key too, where there are keys: strangers learn nothing of the paths.
        Roles needed = context.GetEndpoint()?.Metadata.GetMetadata<Needs>()?.Role ?? Roles.Read;
        return access.Refuses(context, needed) is { } refusal ? RefuseAsync(context, refusal.Problem, refusal.Detail) : next(context);
    }

    private async Task RefuseAsync(HttpContext context, Problem problem, string detail)
    {
        Call call = calls.Rent();
        try
        {
            if (problem == Problem.Unauthorized)
            {
                context.Response.Headers.WWWAuthenticate = "Bearer";
            }

            await call.RefuseAsync(context, problem, detail);
        }
        finally
        {
            calls.Return(call);
        }
    }
}

/// <summary>Says what endpoints need.</summary>
internal static class AccessExtensions
{
    public static TBuilder Needs<TBuilder>(this TBuilder endpoint, Roles role)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new Needs(role));
}
