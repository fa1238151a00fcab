namespace Holdfast.Engine;

/// <summary>Requests in order. Reused; keeps no reference to a request after <see cref="Clear"/>.</summary>
internal sealed class RequestBatch
{
    private Request[] _requests = new Request[256];

    public int Count { get; private set; }

    public ReadOnlySpan<Request> Span => _requests.AsSpan(0, Count);

    public void Add(Request request)
    {
        if (Count == _requests.Length)
        {
            Array.Resize(ref _requests, Count * 2);
        }

        _requests[Count++] = request;
    }

    public void Clear()
    {
        Array.Clear(_requests, 0, Count);
        Count = 0;
    }
}
