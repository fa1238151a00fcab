using System.Text.Json;
using Holdfast.Engine;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>
/// The names behind the numbers by which a space's events call its resources. Read off the journal when somebody follows
/// it for the first time, and kept: numbers are given in the order of the first put and never change.
/// </summary>
internal sealed class ResourceNames(Space space)
{
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly List<JsonEncodedText> _names = [];
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private long _position = -1;

    /// <summary>The names of at least all resources that frames up to <paramref name="sequence"/> know.</summary>
    public async ValueTask<IReadOnlyList<JsonEncodedText>> UpToAsync(long sequence, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _position) >= sequence)
        {
            return _names;
        }

        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (_position < 0)
            {
                await ReadSnapshotAsync(cancellationToken);
            }

            while (_position < sequence)
            {
                long before = _position;
                await foreach (ReadOnlyMemory<byte> bytes in space.Journal.ReadAsync(_position + 1, cancellationToken))
                {
                    FrameView frame = Frame.Read(bytes);
                    if (frame.Sequence > sequence)
                    {
                        break;
                    }

                    Take(frame);
                    Volatile.Write(ref _position, frame.Sequence);
                }

                if (_position == before)
                {
                    throw new InvalidDataException($"The journal of space {space.Name} ends before {sequence}.");
                }
            }

            return _names;
        }
        finally
        {
            _reading.Release();
        }
    }

    private async Task ReadSnapshotAsync(CancellationToken cancellationToken)
    {
        // Where the early frames were trimmed, the names stand in the snapshot.
        await using JournalSnapshot? snapshot = await space.Journal.OpenSnapshotAsync(cancellationToken);
        if (snapshot is not null)
        {
            using SpaceMachine machine = SpaceMachine.ReadSnapshot(snapshot.Content, space.Options.Holds, space.Hasher);
            foreach (ResourceView resource in machine.ListResources())
            {
                Add(resource.Id);
            }
        }

        Volatile.Write(ref _position, snapshot?.Sequence ?? 0);
    }

    private void Take(FrameView frame)
    {
        var reader = new EventReader(frame.Payload.Span);
        for (int i = 0; i < frame.Count; i++)
        {
            EventType type = reader.Next();
            if (type == EventType.ResourcePut)
            {
                Add(System.Text.Encoding.UTF8.GetString(ResourcePutEvent.Read(ref reader).Id));
            }
            else
            {
                EventJson.Skip(type, ref reader);
            }
        }
    }

    private void Add(string id)
    {
        if (_known.Add(id))
        {
            _names.Add(JsonEncodedText.Encode(id, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping));
        }
    }
}
