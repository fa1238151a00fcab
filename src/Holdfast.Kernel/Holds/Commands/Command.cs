namespace Holdfast.Kernel;

/// <summary>
/// Something asked of a space. Commands are mutable and made to be reused: a connection or a caller keeps one, fills it,
/// sends it, and fills it again after its answer. Filling copies names into the command's own buffer and hashes them,
/// so the writer neither allocates nor hashes.
/// </summary>
public abstract class Command
{
    private const int InlineBytes = 96;

    // Names live in the object itself: the writer, on another core, then fetches one run of cache lines a command.
    private InlineText _inline;
    private byte[]? _overflow;
    private int _length;

    private protected Command(NameHasher hasher) => Hasher = hasher;

    /// <summary>What is wrong with the command, or null; a command with a problem is answered <c>invalid</c>.</summary>
    public string? Problem { get; private set; }

    /// <summary>
    /// Whether the answer should carry a <see cref="HoldView"/>. The pipelined paths don't ask: it costs the writer time.
    /// </summary>
    public bool WantsView { get; set; }

    internal NameHasher Hasher { get; }

    internal Text Id { get; private set; }

    /// <summary>Marks the command as wrong; the first problem found is the one that is told.</summary>
    public void Fail(string problem) => Problem ??= problem;

    internal ReadOnlySpan<byte> Bytes(Text text) =>
        (_overflow is null ? (ReadOnlySpan<byte>)_inline : _overflow).Slice(text.Offset, text.Length);

    internal ReadOnlySpan<byte> IdBytes => Bytes(Id);

    private protected void Begin(ReadOnlySpan<byte> id, string what)
    {
        _length = 0;
        _overflow = null;
        Problem = null;
        Id = Keep(id, what);
    }

    /// <summary>Of what is new: paths mean something else by these (RFC 3986, section 5.2.4).</summary>
    private protected void RefuseDots(ReadOnlySpan<byte> id, string what)
    {
        if (id.SequenceEqual("."u8) || id.SequenceEqual(".."u8))
        {
            Fail(what + " is . or .., which no path can name");
        }
    }

    private protected Text Keep(ReadOnlySpan<byte> name, string what)
    {
        if (Name.Problem(name, what) is { } problem)
        {
            Fail(problem);
            return default;
        }

        return Store(name, Hasher.Hash(name));
    }

    private protected Text KeepReason(ReadOnlySpan<byte> text, string what)
    {
        if (Name.ReasonProblem(text, what) is { } problem)
        {
            Fail(problem);
            return default;
        }

        return Store(text, 0);
    }

    private Text Store(ReadOnlySpan<byte> text, ulong hash)
    {
        int end = _length + text.Length;
        if (end > (_overflow?.Length ?? InlineBytes))
        {
            byte[] larger = new byte[Math.Max(4 * InlineBytes, 2 * end)];
            (_overflow is null ? (Span<byte>)_inline : _overflow)[.._length].CopyTo(larger);
            _overflow = larger;
        }

        text.CopyTo((_overflow is null ? (Span<byte>)_inline : _overflow)[_length..]);
        var kept = new Text(hash, _length, text.Length);
        _length += text.Length;
        return kept;
    }

    internal readonly record struct Text(ulong Hash, int Offset, int Length);

    [System.Runtime.CompilerServices.InlineArray(InlineBytes)]
    private struct InlineText
    {
        private byte _first;
    }
}
