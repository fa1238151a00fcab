using Holdfast.Engine.Projection;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>One verification under way: up to two machines over one walk, one from the first frame, one from the snapshot.</summary>
internal sealed class VerificationWalk(NameHasher hasher) : IDisposable
{
    private SpaceMachine? _full;
    private SpaceMachine? _fromSnapshot;
    private long? _snapshotSequence;
    private ReadOnlyMemory<byte> _snapshotFrameHash;
    private long _first = 1;
    private long _last;
    private long _frames;
    private long _events;
    private bool _torn;
    private long? _missingBeforeLast;
    private long? _badSequence;
    private string? _problem;

    public async Task ReadSnapshotAsync(IJournal journal, CancellationToken cancellationToken)
    {
        // The frames are walked all the same when it can't be read: whether they are whole is what decides what can be done.
        try
        {
            await using JournalSnapshot? snapshot = await journal.OpenSnapshotAsync(cancellationToken);
            if (snapshot is not null)
            {
                await ReadAsync(snapshot, cancellationToken);
            }
        }
        catch (JournalCorruptException e)
        {
            Blame(e.Sequence, $"The snapshot of {e.Sequence} can't be read: {e.Message}");
        }
    }

    private async Task ReadAsync(JournalSnapshot snapshot, CancellationToken cancellationToken)
    {
        try
        {
            _fromSnapshot = SpaceMachine.ReadSnapshot(snapshot.Content, new HoldOptions(), hasher);
            _snapshotFrameHash = await SnapshotContent.ReadStandAsync(snapshot.Content, cancellationToken);
            _snapshotSequence = snapshot.Sequence;
        }
        catch (Exception e) when (e is not (OperationCanceledException or JournalException or OutOfMemoryException))
        {
            DropSnapshot();
            Blame(snapshot.Sequence, $"The snapshot of {snapshot.Sequence} can't be read: {e.Message}");
        }
    }

    public async Task WalkAsync(IJournal journal, CancellationToken cancellationToken)
    {
        try
        {
            _first = await JournalStart.FirstSequenceAsync(journal, cancellationToken);
        }
        catch (JournalException e) when (e.Fault == JournalFault.NoJournal && (_snapshotSequence > 0 || _problem is not null))
        {
            throw new JournalCorruptException(1, $"There is a snapshot, but no journal any more: {e.Message}", e);
        }

        _last = _first - 1;
        if (await TrimmedToAsync(journal, cancellationToken) is { } kept && kept < _first)
        {
            Blame(kept, $"The journal begins at {_first}, but it was trimmed only up to {kept - 1}: frames are missing at its beginning.");
        }

        if (_first == 1)
        {
            _full = new SpaceMachine(new HoldOptions(), hasher);
        }
        else if (_fromSnapshot is null || _snapshotSequence + 1 < _first)
        {
            // Nothing can be replayed; whether the frames are whole shows all the same.
            Blame(_first, $"The journal begins at {_first}, and no snapshot reaches up to there.");
            DropSnapshot();
        }

        var chain = new ChainVerifier(_first);
        await WalkAsync(journal, chain, cancellationToken);
        if (!_torn && await IsBehindAGapAsync(journal, _last + 2, cancellationToken))
        {
            // Beside a serving space the gap may have been filled since, and the walk goes on.
            long before = _last;
            await WalkAsync(journal, chain, cancellationToken);
            _missingBeforeLast = _last == before ? _last + 1 : null;
        }
    }

    /// <summary>Where the journal should begin as far as it knows; null: its end is damaged, which the walk will find.</summary>
    private static async Task<long?> TrimmedToAsync(IJournal journal, CancellationToken cancellationToken)
    {
        try
        {
            return (await journal.FindTailAsync(cancellationToken)).FirstSequence;
        }
        catch (JournalCorruptException)
        {
            return null;
        }
    }

    /// <summary>Whether a whole record stands at this sequence, behind what reading takes for the end.</summary>
    private static async Task<bool> IsBehindAGapAsync(IJournal journal, long sequence, CancellationToken cancellationToken)
    {
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(sequence, cancellationToken))
        {
            _ = new ChainVerifier(sequence).Next(bytes);
            return true;
        }

        return false;
    }

    private async Task WalkAsync(IJournal journal, ChainVerifier chain, CancellationToken cancellationToken)
    {
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(_last + 1, cancellationToken))
        {
            if (_torn)
            {
                throw new JournalCorruptException(_last + 1, $"Frame {_last + 1} is cut short and isn't the last one.");
            }

            if (Frame.IsTorn(bytes.Span))
            {
                _torn = true;
                continue;
            }

            FrameView frame = chain.Next(bytes);
            Compare(frame);
            Evolve(frame);
            _last = frame.Sequence;
            _frames++;
            _events += frame.Count;
        }
    }

    /// <summary>Holds the machines against each other and against themselves.</summary>
    public void Compare()
    {
        if (_problem is not null)
        {
            return;
        }

        if (_snapshotSequence > _last)
        {
            Blame(_last + 1, $"The journal ends at {_last}, before its snapshot of {_snapshotSequence}: frames are missing at its end.");
            return;
        }

        if (_full is not null && _fromSnapshot is not null && Difference(_full, _fromSnapshot) is { } difference)
        {
            Blame(_snapshotSequence!.Value, $"The replay of all frames and the one from the snapshot of {_snapshotSequence} differ: {difference}.");
            return;
        }

        string? imbalance = _full?.FindImbalance() ?? _fromSnapshot?.FindImbalance();
        if (imbalance is not null)
        {
            _problem = "It doesn't add up: " + imbalance;
        }
    }

    /// <summary>Whether the snapshot is one of this journal: by the frame that it was taken after, or by the next where that was trimmed.</summary>
    private void Compare(FrameView frame)
    {
        if (_fromSnapshot is not null && (frame.Sequence == _snapshotSequence || frame.Sequence == _first) && frame.Sequence >= _snapshotSequence &&
            SnapshotContent.Contradiction(frame, _snapshotSequence.Value, _snapshotFrameHash) is { } contradiction)
        {
            DropSnapshot();
            Blame(_snapshotSequence.Value, $"The snapshot of {_snapshotSequence} isn't of this journal: {contradiction}.");
        }
    }

    private void DropSnapshot()
    {
        _fromSnapshot?.Dispose();
        _fromSnapshot = null;
    }

    public void Blame(long sequence, string problem)
    {
        _badSequence ??= sequence;
        _problem ??= problem;
    }

    public VerificationReport Report()
    {
        SpaceMachine? machine = _full ?? _fromSnapshot;
        return new VerificationReport
        {
            Frames = _frames,
            FirstSequence = _first,
            LastSequence = _last,
            Events = _events,
            FirstBadSequence = _badSequence,
            Problem = _problem,
            TornTail = _torn,
            MissingBeforeLast = _missingBeforeLast,
            SnapshotSequence = _snapshotSequence,
            Resources = machine?.ResourceCount ?? 0,
            KnownHolds = machine?.KnownHolds ?? 0,
            LiveHolds = machine?.LiveHolds ?? 0,
            Digest = machine?.Digest ?? 0,
        };
    }

    public void Dispose()
    {
        _full?.Dispose();
        _fromSnapshot?.Dispose();
    }

    private static string? Difference(SpaceMachine full, SpaceMachine fromSnapshot)
    {
        if (full.Digest != fromSnapshot.Digest)
        {
            return $"digest {full.Digest:x16} and {fromSnapshot.Digest:x16}";
        }

        // The digest runs on from the snapshot's own; so that a snapshot can't vouch for itself, what it holds is compared.
        foreach ((ResourceView one, ResourceView other) in full.ListResources().Zip(fromSnapshot.ListResources()))
        {
            if (one != other)
            {
                return $"{one} and {other}";
            }
        }

        return (full.ResourceCount, full.KnownHolds, full.LiveHolds) == (fromSnapshot.ResourceCount, fromSnapshot.KnownHolds, fromSnapshot.LiveHolds)
            ? null
            : $"{full.ResourceCount} resources, {full.KnownHolds} holds, {full.LiveHolds} live and {fromSnapshot.ResourceCount}, {fromSnapshot.KnownHolds}, {fromSnapshot.LiveHolds}";
    }

    private void Evolve(FrameView frame)
    {
        try
        {
            _full?.Evolve(frame.Payload.Span, frame.Count, frame.TimeMs);
            if (frame.Sequence > _snapshotSequence)
            {
                _fromSnapshot?.Evolve(frame.Payload.Span, frame.Count, frame.TimeMs);
            }
        }
        catch (Exception e) when (e is InvalidDataException or IndexOutOfRangeException or ArgumentOutOfRangeException or InvalidOperationException)
        {
            throw new JournalCorruptException(frame.Sequence, $"The events of frame {frame.Sequence} don't fit the state before them: {e.Message}", e);
        }
    }
}
