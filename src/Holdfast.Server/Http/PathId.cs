using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>
/// The id that a path names. Kestrel decodes a path but for %2F and for what isn't UTF-8, which it leaves, so that "a%2Fb" and
/// "a%252Fb" look the same afterwards; so one with a percent sign left in it is taken from the request line as it was sent.
/// </summary>
internal static class PathId
{
    private const string RouteValue = "id";

    /// <summary>The id as UTF-8; empty when the path is not to be understood.</summary>
    public static byte[] Of(HttpContext context) => Of(context, RouteValue, 0);

    /// <summary>Another id that the path names, so many parts behind where the first id stands; empty when the path is not to be understood.</summary>
    public static byte[] Of(HttpContext context, string routeValue, int partsBehind)
    {
        string id = context.GetRouteValue(routeValue) as string ?? "";
        return id.Contains('%', StringComparison.Ordinal) ? Decode(AsSent(context, IdPlace(context) + partsBehind)) : Encoding.UTF8.GetBytes(id);
    }

    /// <summary>The path of a thing with an id of its own: the call's path up to there, and the id encoded anew (what Kestrel decoded can't be told apart any more).</summary>
    public static string Location(HttpContext context, string id)
    {
        string path = context.Request.Path.Value ?? "";
        if (context.Request.RouteValues.ContainsKey(RouteValue))
        {
            // What stands before the id has neither ids nor slashes in it: a space's name is made of plain letters.
            string[] parts = path.Split('/');
            path = string.Join('/', parts[..IdPlace(context)]);
        }

        return Below(path, id);
    }

    /// <summary>The path of a thing below a collection's, at whose end a slash may stand.</summary>
    public static string Below(ReadOnlySpan<char> collection, string id) => string.Concat(collection.TrimEnd('/'), "/", Uri.EscapeDataString(id));

    private static int IdPlace(HttpContext context) => context.Request.RouteValues.ContainsKey("space") ? 5 : 3;

    /// <summary>What stands at a place of the path, decoded from how it was sent; empty when that can't be told.</summary>
    public static string At(HttpContext context, int place) => Encoding.UTF8.GetString(Decode(AsSent(context, place)));

    private static string AsSent(HttpContext context, int place)
    {
        string target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        int query = target.IndexOf('?', StringComparison.Ordinal);
        string[] sent = (query < 0 ? target : target[..query]).Split('/');
        string[] seen = (context.Request.Path.Value ?? "").Split('/');
        if (sent.Length != seen.Length)
        {
            // A dot segment was taken out on the way: which part is the id can't be told.
            return "";
        }

        return place >= 0 && place < sent.Length ? sent[place] : "";
    }

    /// <summary>Empty when an escape is malformed, or what they say isn't UTF-8: another id than the one that was meant must not be found.</summary>
    private static byte[] Decode(string sent)
    {
        byte[] id = Encoding.UTF8.GetBytes(sent);
        int length = 0;
        for (int i = 0; i < id.Length; i++, length++)
        {
            if (id[i] != '%')
            {
                id[length] = id[i];
            }
            else if (i + 2 < id.Length && byte.TryParse(id.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte escaped))
            {
                id[length] = escaped;
                i += 2;
            }
            else
            {
                return [];
            }
        }

        return Utf8.IsValid(id.AsSpan(0, length)) ? id[..length] : [];
    }
}
