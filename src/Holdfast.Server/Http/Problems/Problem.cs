using Holdfast.Kernel;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Server;

/// <summary>A kind of problem details (RFC 9457): its stable code, status and title.</summary>
/// <param name="Code">The stable code.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">What it is, in words that are always the same.</param>
internal sealed record Problem(string Code, int Status, string Title)
{
    /// <summary>How long a caller of an overloaded or unavailable server should wait at least.</summary>
    public const string RetryAfterSeconds = "1";

    public static readonly Problem Unauthorized = new("unauthorized", StatusCodes.Status401Unauthorized, "An API key is needed");
    public static readonly Problem Forbidden = new("forbidden", StatusCodes.Status403Forbidden, "Not allowed");
    public static readonly Problem PathNotFound = new("not_found", StatusCodes.Status404NotFound, "No such path");
    public static readonly Problem SpaceNotFound = new("not_found", StatusCodes.Status404NotFound, "No such space");
    public static readonly Problem MethodNotAllowed = new("method_not_allowed", StatusCodes.Status405MethodNotAllowed, "The path doesn't take this method");
    public static readonly Problem TooLarge = new("too_large", StatusCodes.Status413PayloadTooLarge, "The body is too large");
    public static readonly Problem NotJson = new("unsupported_media_type", StatusCodes.Status415UnsupportedMediaType, "The body is not of the type needed");
    public static readonly Problem TooSlow = new("timeout", StatusCodes.Status408RequestTimeout, "The request came too slowly");
    public static readonly Problem Internal = new("internal", StatusCodes.Status500InternalServerError, "The server made a mistake");

    private static readonly Problem[] ByCode =
    [
        new("ok", StatusCodes.Status200OK, "Done"),
        new("invalid", StatusCodes.Status400BadRequest, "The request is not valid"),
        new("too_old", StatusCodes.Status410Gone, "Issued before the retention"),
        new("conflict", StatusCodes.Status409Conflict, "The id is known with another body, or the state does not allow it"),
        new("not_found", StatusCodes.Status404NotFound, "No such hold, transaction or checkout"),
        new("cancelled", StatusCodes.Status409Conflict, "It was cancelled"),
        new("expired", StatusCodes.Status409Conflict, "The hold has expired"),
        new("confirmed", StatusCodes.Status409Conflict, "It is confirmed"),
        new("exceeds_hold", StatusCodes.Status409Conflict, "More than the hold has"),
        new("unknown_resource", StatusCodes.Status404NotFound, "No such resource"),
        new("disabled", StatusCodes.Status409Conflict, "The resource takes no new holds"),
        new("not_open", StatusCodes.Status409Conflict, "The resource is not open now"),
        new("not_owner", StatusCodes.Status409Conflict, "The resource is not for this owner"),
        new("limit_exceeded", StatusCodes.Status409Conflict, "The limit per owner is reached"),
        new("insufficient", StatusCodes.Status409Conflict, "Not enough is available"),
        new("version_mismatch", StatusCodes.Status409Conflict, "The resource has another version"),
        new("overloaded", StatusCodes.Status429TooManyRequests, "Too busy: not executed"),
        new("unavailable", StatusCodes.Status503ServiceUnavailable, "The outcome is unknown"),
        new("exceeds_paid", StatusCodes.Status409Conflict, "More than is left of the payment"),
    ];

    /// <summary>The kind of a refusal.</summary>
    public static Problem Of(Code code) => ByCode[(int)code];

    /// <summary>Every kind, for the documents.</summary>
    public static IEnumerable<Problem> All =>
        ByCode.Skip(1).Concat([Unauthorized, Forbidden, MethodNotAllowed, TooSlow, TooLarge, NotJson, Internal]);

    /// <summary>Whether the caller should come again, and so is told when.</summary>
    public bool Passes => Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable;
}
