namespace Holdfast.Kernel;

/// <summary>Writes checkouts' events into the batch and evolves the book by the very bytes that were written.</summary>
internal sealed class CheckoutSink(CheckoutBook book)
{
    private EventBuffer _output = null!;
    private long _nowMs;

    public void Begin(EventBuffer output, long nowMs)
    {
        _output = output;
        _nowMs = nowMs;
    }

    public void Add(CheckoutEvent happened)
    {
        var reader = new EventReader(happened.Write(_output));
        book.Evolve(CheckoutEvent.Read(reader.Next(), ref reader), _nowMs);
    }
}
