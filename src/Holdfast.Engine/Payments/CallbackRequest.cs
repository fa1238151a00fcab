namespace Holdfast.Engine.Payments;

/// <summary>A callback as it came: its headers, and its body's bytes untouched.</summary>
/// <param name="Headers">By name, whatever its case.</param>
/// <param name="Body">The raw bytes: what a signature is over.</param>
/// <param name="Space">The space that it was sent to; null: to none.</param>
public sealed record CallbackRequest(IReadOnlyDictionary<string, string> Headers, ReadOnlyMemory<byte> Body, string? Space = null)
{
    /// <summary>A header's value without blanks around it; null when it is missing or empty.</summary>
    public string? Header(string name) => Headers.TryGetValue(name, out string? value) && value.AsSpan().Trim() is { Length: > 0 } text ? text.ToString() : null;
}
