using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Holdfast.Journal.Memory;

/// <summary>The stored state of one space, shared by all who open it. Thread-safe.</summary>
internal sealed class MemoryLog
{
    private readonly Lock _gate = new();
    private readonly List<byte[]> _frames = [];
    private readonly List<Snapshot> _snapshots = [];
    private long _first = 1;

    public bool Exists { get; private set; }

    private long Last => _first + _frames.Count - 1;

    public JournalTail Open()
    {
        lock (_gate)
        {
            Exists = true;
            JournalTail tail = FindTail();
            if (tail.Sequence < Last)
            {
                _frames.RemoveAt(_frames.Count - 1);
                return tail with { TornRecordsDropped = 1 };
            }

            return tail;
        }
    }

    public JournalTail FindTail()
    {
        lock (_gate)
        {
            int whole = _frames.Count;
            if (whole > 0 && TailCheck.IsTorn(Last, _frames[^1]))
            {
                whole--;
                if (whole > 0 && TailCheck.IsTorn(Last - 1, _frames[whole - 1]))
                {
                    throw TailCheck.TornInside(Last - 1);
                }
            }

            ReadOnlyMemory<byte> hash = whole == 0 ? TailCheck.NoHash : Frame.Read(_frames[whole - 1]).Hash;
            return new JournalTail(_first + whole - 1, hash, _first, 0);
        }
    }

    public bool TryAppend(long sequence, ReadOnlySpan<byte> frame)
    {
        byte[] copy = frame.ToArray();
        lock (_gate)
        {
            if (sequence != Last + 1)
            {
                return false;
            }

            _frames.Add(copy);
            return true;
        }
    }

    /// <summary>The frame at <paramref name="sequence"/>, or the oldest stored when that is later; moves it along.</summary>
    public byte[]? ReadAtOrAfter(ref long sequence)
    {
        lock (_gate)
        {
            sequence = Math.Max(sequence, _first);
            return sequence > Last ? null : _frames[(int)(sequence - _first)];
        }
    }

    public void PutSnapshot(long sequence, byte[] content)
    {
        var snapshot = new Snapshot(sequence, content, SHA256.HashData(content));
        lock (_gate)
        {
            _snapshots.RemoveAll(s => s.Sequence == sequence);
            _snapshots.Add(snapshot);
            _snapshots.Sort((a, b) => a.Sequence.CompareTo(b.Sequence));
            _snapshots.RemoveRange(0, Math.Max(0, _snapshots.FindIndex(s => s.Sequence == sequence) - 1));
        }
    }

    public void RemoveSnapshot(long sequence)
    {
        lock (_gate)
        {
            _snapshots.RemoveAll(s => s.Sequence == sequence);
        }
    }

    public Snapshot? NewestSnapshot()
    {
        lock (_gate)
        {
            return _snapshots.Count == 0 ? null : _snapshots[^1];
        }
    }

    public void Trim(long throughSequence)
    {
        lock (_gate)
        {
            if (_snapshots.Count == 0 || _snapshots[^1].Sequence < throughSequence)
            {
                throw TailCheck.NoSnapshotFor(throughSequence);
            }

            int count = (int)Math.Clamp(throughSequence - _first + 1, 0, Math.Max(0, _frames.Count - 1));
            _frames.RemoveRange(0, count);
            _first += count;
        }
    }

    /// <summary>Puts other bytes in a stored frame's place: the planted faults of tests.</summary>
    internal void Overwrite(long sequence, byte[] bytes)
    {
        lock (_gate)
        {
            _frames[(int)(sequence - _first)] = bytes;
        }
    }

    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Snapshot(long Sequence, byte[] Bytes, byte[] Hash);
}
