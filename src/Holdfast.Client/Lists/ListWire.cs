using System.Text.Json.Serialization;

namespace Holdfast.Client.Http;

internal sealed record ListedHoldBody : HoldBody
{
    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? FinishedAt { get; init; }

    public required long Sequence { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PageBody<ListedHoldBody>))]
[JsonSerializable(typeof(PageBody<ResourceBody>))]
[JsonSerializable(typeof(PageBody<Movement>))]
internal sealed partial class ListJson : JsonSerializerContext;
