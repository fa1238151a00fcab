namespace Holdfast.Engine;

/// <summary>Requests in order, linked through themselves.</summary>
internal struct RequestList
{
    private Request? _last;

    public Request? First { get; private set; }

    public int Count { get; private set; }

    public void Add(Request request)
    {
        request.Next = null;
        if (_last is null)
        {
            First = request;
        }
        else
        {
            _last.Next = request;
        }

        _last = request;
        Count++;
    }

    public RequestList TakeAll()
    {
        RequestList all = this;
        this = default;
        return all;
    }
}
