namespace Holdfast.Kernel;

/// <summary>A command with lines (resource, quantity). Lines on the same resource are summed; at most 64 may be given.</summary>
public abstract class LinedCommand : Command
{
    /// <summary>Most lines of one command.</summary>
    public const int MaxLines = 64;

    private const int InlineLineCount = 2;

    private InlineLines _inlineLines;
    private Line[] _moreLines = [];
    private int _given;

    private protected LinedCommand(NameHasher hasher)
        : base(hasher)
    {
    }

    internal int LineCount { get; private set; }

    internal Span<Line> Lines => LineCount <= InlineLineCount ? ((Span<Line>)_inlineLines)[..LineCount] : _moreLines.AsSpan(0, LineCount);

    /// <summary>Adds a line. A quantity below 1 makes the command invalid.</summary>
    public void AddLine(ReadOnlySpan<byte> resource, long quantity)
    {
        if (++_given > MaxLines)
        {
            Fail("more than 64 lines");
            return;
        }

        if (quantity is < 1 or > Quantity.Max)
        {
            Fail("a quantity must be a whole number from 1 to " + Quantity.Max.ToString(System.Globalization.CultureInfo.InvariantCulture));
            return;
        }

        Text name = Keep(resource, "a line's resource");
        foreach (ref Line line in Lines)
        {
            if (line.Name.Hash == name.Hash && Bytes(line.Name).SequenceEqual(Bytes(name)))
            {
                // Both are at most a quarter of the range, so the sum can't wrap before it is checked.
                line.Quantity += quantity;
                if (line.Quantity > Quantity.Max)
                {
                    Fail("the quantities of one resource overflow");
                }

                return;
            }
        }

        var added = new Line { Name = name, Quantity = quantity };
        if (LineCount < InlineLineCount)
        {
            _inlineLines[LineCount++] = added;
            return;
        }

        if (LineCount >= _moreLines.Length)
        {
            Array.Resize(ref _moreLines, Math.Max(8, LineCount * 2));
        }

        if (LineCount == InlineLineCount)
        {
            ((ReadOnlySpan<Line>)_inlineLines).CopyTo(_moreLines);
        }

        _moreLines[LineCount++] = added;
    }

    private protected void BeginLines(ReadOnlySpan<byte> id, string what)
    {
        LineCount = 0;
        _given = 0;
        Begin(id, what);
    }

    internal struct Line
    {
        public Text Name;
        public long Quantity;

        /// <summary>Found by the machine while deciding: the resource's number, and the owner's account or -1.</summary>
        public int Resource;
        public int Account;
    }

    [System.Runtime.CompilerServices.InlineArray(InlineLineCount)]
    private struct InlineLines
    {
        private Line _first;
    }
}
