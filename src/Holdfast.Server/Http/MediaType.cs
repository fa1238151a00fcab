namespace Holdfast.Server;

/// <summary>Which bodies are taken.</summary>
internal static class MediaType
{
    /// <summary>JSON, with or without parameters; none named counts as JSON.</summary>
    public static bool IsJson(string? contentType) => Is(contentType, "application/json");

    /// <summary>NDJSON under its usual names; none named counts as such.</summary>
    public static bool IsNdjson(string? contentType) =>
        Is(contentType, "application/x-ndjson") || Is(contentType, "application/ndjson") || Is(contentType, "application/jsonl") || IsJson(contentType);

    private static bool Is(string? contentType, string type)
    {
        if (string.IsNullOrEmpty(contentType))
        {
            return true;
        }

        ReadOnlySpan<char> given = contentType;
        int parameters = given.IndexOf(';');
        return (parameters < 0 ? given : given[..parameters]).Trim().Equals(type, StringComparison.OrdinalIgnoreCase);
    }
}
