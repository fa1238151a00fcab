namespace Holdfast.Client.Resp;

internal enum RespKind : byte
{
    Null = 0,
    Simple,
    Error,
    Integer,
    Bulk,
    Array,
}

/// <summary>One RESP2 value.</summary>
internal readonly struct RespValue
{
    private readonly object? _content;

    private RespValue(RespKind kind, long integer, object? content)
    {
        Kind = kind;
        Integer = integer;
        _content = content;
    }

    public RespKind Kind { get; }

    public long Integer { get; }

    /// <summary>The text of a simple string, error or bulk string; null for the other kinds.</summary>
    public string? Text => _content as string;

    public RespValue[] Items => _content as RespValue[] ?? [];

    public static RespValue Null => default;

    public static RespValue Of(RespKind kind, string text) => new(kind, 0, text);

    public static RespValue Of(long integer) => new(RespKind.Integer, integer, null);

    public static RespValue Of(RespValue[] items) => new(RespKind.Array, 0, items);

    /// <summary>For messages and for comparing parses in tests.</summary>
    public override string ToString() => Kind switch
    {
        RespKind.Null => "null",
        RespKind.Integer => $":{Integer}",
        RespKind.Array => $"[{string.Join(", ", Items)}]",
        RespKind.Error => $"-{Text}",
        RespKind.Simple => $"+{Text}",
        _ => $"\"{Text}\"",
    };
}
