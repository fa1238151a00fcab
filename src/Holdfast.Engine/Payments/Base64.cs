namespace Holdfast.Engine.Payments;

/// <summary>Strict base64: the framework's own passes over blanks, and a blank here is a plus sign that a form's decoding ate.</summary>
internal static class Base64
{
    public static bool TryDecode(string text, out byte[] bytes)
    {
        bytes = [];
        if (text.AsSpan().IndexOfAny(" \t\r\n") >= 0)
        {
            return false;
        }

        byte[] decoded = new byte[(text.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64String(text, decoded, out int length))
        {
            return false;
        }

        bytes = decoded[..length];
        return true;
    }
}
