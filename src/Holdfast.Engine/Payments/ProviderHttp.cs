using Holdfast.Kernel;

namespace Holdfast.Engine.Payments;

/// <summary>A provider's whole answer.</summary>
internal sealed record ProviderAnswer(int Status, IReadOnlyDictionary<string, string> Headers, byte[] Body);

/// <summary>Sends to a provider and reads a bounded answer. What goes wrong on the way is an exception: the outcome is unknown.</summary>
internal static class ProviderHttp
{
    private const int AnswerBytesMax = 1024 * 1024;

    public static async Task<ProviderAnswer> SendAsync(HttpMessageInvoker http, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.TryAddWithoutValidation("User-Agent", "holdfast");
        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        using HttpResponseMessage response = await http.SendAsync(request, cancellationToken);
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var body = new MemoryStream();
        byte[] part = new byte[16 * 1024];
        for (int read; (read = await stream.ReadAsync(part, cancellationToken)) > 0;)
        {
            if (body.Length + read > AnswerBytesMax)
            {
                throw new IOException("the provider's answer is longer than 1 MiB");
            }

            body.Write(part, 0, read);
        }

        return new ProviderAnswer((int)response.StatusCode, Headers(response), body.ToArray());
    }

    /// <summary>A question about a refund that was refused says nothing of the refund: failed, it would be made again under another id.</summary>
    public static PaymentResult OfRefusedQuestion(PaymentResult error) => error.Outcome == PaymentOutcome.Refused ? error with { Outcome = PaymentOutcome.Unknown } : error;

    /// <summary>A file that may be large. The caller disposes the stream.</summary>
    public static async Task<Stream> DownloadAsync(HttpMessageInvoker http, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage response = await http.SendAsync(request, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            int status = (int)response.StatusCode;
            response.Dispose();
            throw new PaymentChannelException($"the provider answered {status} to the download of its bill");
        }

        return await response.Content.ReadAsStreamAsync(cancellationToken);
    }

    private static Dictionary<string, string> Headers(HttpResponseMessage response)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach ((string name, IEnumerable<string> values) in response.Headers.NonValidated.Select(h => (h.Key, h.Value.AsEnumerable())))
        {
            headers[name] = string.Join(',', values);
        }

        return headers;
    }
}
