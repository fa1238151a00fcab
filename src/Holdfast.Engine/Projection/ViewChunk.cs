using System.Buffers;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine.Projection;

/// <summary>
/// Some frames in a row, turned into rows. Pure: (1) <see cref="Add"/> frames; (2) <see cref="FindNeeded"/> names the rows
/// that their events build on; (3) a store puts those in; (4) <see cref="Apply"/> evolves them; (5) the store writes
/// what is new or changed. What happens to a row within the chunk costs one write, and nothing is kept between chunks,
/// so a failed transaction leaves no trace here either.
/// </summary>
internal sealed class ViewChunk : IDisposable
{
    private readonly List<Part> _parts = [];
    private readonly Dictionary<string, ViewHold> _holds = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ViewResource> _resourcesById = new(StringComparer.Ordinal);
    private readonly Dictionary<int, ViewResource> _resources = [];
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(256 * 1024);
    private int _length;

    /// <summary>The position before.</summary>
    public long From { get; private set; }

    public int Events { get; private set; }

    /// <summary>Ids of holds that were made before this chunk.</summary>
    public HashSet<string> NeededHolds { get; } = new(StringComparer.Ordinal);

    /// <summary>Resources by number: of new lines, and (once their holds are put in) of old ones.</summary>
    public HashSet<int> NeededResources { get; } = [];

    /// <summary>Resources by id: of puts.</summary>
    public HashSet<string> NeededResourceIds { get; } = new(StringComparer.Ordinal);

    /// <summary>The number that the next new resource gets; set by the store when <see cref="NeededResourceIds"/> has any.</summary>
    public int NextResource { get; set; }

    public List<ViewHold> NewHolds { get; } = [];

    public List<ViewHold> ChangedHolds { get; } = [];

    public List<ViewMovement> Movements { get; } = [];

    public IEnumerable<ViewResource> TouchedResources => _resources.Values.Where(r => r.Change != RowChange.None);

    /// <summary>Forgets everything and begins behind a position; the memory stays.</summary>
    public void Begin(long from)
    {
        _parts.Clear();
        _length = 0;
        Events = 0;
        From = from;
        ForgetRows();
        NeededHolds.Clear();
        NeededResources.Clear();
        NeededResourceIds.Clear();
    }

    /// <summary>Takes a copy of the next frame.</summary>
    public void Add(FrameView frame)
    {
        ReadOnlySpan<byte> payload = frame.Payload.Span;
        if (_bytes.Length - _length < payload.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, _length + payload.Length));
            _bytes.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        payload.CopyTo(_bytes.AsSpan(_length));
        _parts.Add(new Part(frame.Sequence, frame.TimeMs, frame.Count, _length, payload.Length));
        _length += payload.Length;
        Events += frame.Count;
    }

    /// <summary>Names what must be put in before <see cref="Apply"/>.</summary>
    public void FindNeeded()
    {
        var finder = new NeededRows(this);
        foreach (Part part in _parts)
        {
            finder.Look(_bytes.AsSpan(part.Offset, part.Length), part.Count);
        }
    }

    /// <summary>Puts in a hold that was made before.</summary>
    public void Put(ViewHold hold)
    {
        _holds[hold.Id] = hold;
        foreach (ref ViewLine line in hold.Lines.AsSpan())
        {
            NeededResources.Add(line.Resource);
        }
    }

    /// <summary>Puts in a resource that was put before.</summary>
    public void Put(ViewResource resource)
    {
        _resources[resource.Number] = resource;
        _resourcesById[resource.Id] = resource;
    }

    /// <summary>Turns the events into rows.</summary>
    /// <exception cref="JournalCorruptException">An event names what neither the views nor the chunk know.</exception>
    public void Apply()
    {
        var rows = new ViewEvolution(this);
        foreach (Part part in _parts)
        {
            rows.Evolve(_bytes.AsSpan(part.Offset, part.Length), part.Count, part.Sequence, part.TimeMs);
        }
    }

    /// <summary>Drops rows put in or made, but keeps the frames: the chunk can be tried again.</summary>
    public void ForgetRows()
    {
        _holds.Clear();
        _resources.Clear();
        _resourcesById.Clear();
        NewHolds.Clear();
        ChangedHolds.Clear();
        Movements.Clear();
        NextResource = 0;
    }

    public ViewHold? FindHold(string id) => _holds.GetValueOrDefault(id);

    public ViewResource? FindResource(int number) => _resources.GetValueOrDefault(number);

    public ViewResource? FindResource(string id) => _resourcesById.GetValueOrDefault(id);

    public void AddNew(ViewHold hold)
    {
        // An id that the loop has forgotten may be used again: the old hold's row stays, events mean the new one.
        _holds[hold.Id] = hold;
        NewHolds.Add(hold);
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_bytes);

    private readonly record struct Part(long Sequence, long TimeMs, int Count, int Offset, int Length);
}

/// <summary>What a store has to do with a row.</summary>
internal enum RowChange
{
    None,
    New,
    Changed,
}
