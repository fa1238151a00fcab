using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Server;

/// <summary>The query of lists that the kernel answers, and the shape of their answers: <c>{items, next}</c>.</summary>
internal static class Page
{
    private const int LimitDefault = 100;

    /// <summary>Behind which item the page begins; null: at the first.</summary>
    public static string? After(HttpContext context) => Text(context, "after");

    /// <summary>Most items; 0, which nobody takes, for what is not a number.</summary>
    public static int Limit(HttpContext context) =>
        Text(context, "limit") is not { } text ? LimitDefault
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) ? limit : 0;

    /// <summary>A value of the query; null: not given, or empty.</summary>
    public static string? Text(HttpContext context, string name) => context.Request.Query[name] is [{ Length: > 0 } text] ? text : null;

    /// <summary>Answers with one page.</summary>
    public static Task SendAsync<T>(HttpContext context, Call call, IEnumerable<T> items, Action<AnswerWriter, T> write, string? next)
    {
        call.Out.Begin();
        call.Out.Json.WriteStartObject();
        call.Out.Json.WriteStartArray("items"u8);
        foreach (T item in items)
        {
            write(call.Out, item);
        }

        call.Out.Json.WriteEndArray();
        call.Out.Json.WriteString("next"u8, next);
        call.Out.Json.WriteEndObject();
        return call.SendAsync(context, StatusCodes.Status200OK);
    }
}
