using System.Globalization;
using System.Security.Cryptography;

namespace Holdfast.Journal.Sqlite;

/// <summary>
/// Snapshots as files beside the journal: <c>holdfast.{sequence}.snapshot</c>, the content and then its SHA-256. Written
/// under another name, made durable, then renamed: a file of the right name is whole.
/// </summary>
internal sealed class SnapshotFiles(string journalPath)
{
    private const string Extension = ".snapshot";
    private const string Unfinished = ".snapshot-unfinished";
    private const string Aside = "-aside";
    private const int Keep = 2;
    private const int BufferBytes = 1 << 16;

    private readonly string _folder = Path.GetDirectoryName(Path.GetFullPath(journalPath))!;
    private readonly string _prefix = Path.GetFileNameWithoutExtension(journalPath) + ".";

    public async ValueTask WriteAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(write);
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        string target = PathOf(sequence);
        string unfinished = Path.ChangeExtension(target, null) + Unfinished;
        foreach (string left in Directory.EnumerateFiles(_folder, _prefix + "*" + Unfinished))
        {
            File.Delete(left); // of a process that died while it wrote
        }

        try
        {
            await WriteWholeAsync(unfinished, write, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            File.Move(unfinished, target, overwrite: true);
            FolderSync.Flush(_folder);
        }
        catch (IOException e)
        {
            File.Delete(unfinished);
            throw new JournalException(JournalFault.NotWritten, $"The snapshot of {sequence} couldn't be written: {e.Message}", e);
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }

        foreach (long old in Sequences().Where(s => s <= sequence).OrderDescending().Skip(Keep))
        {
            File.Delete(PathOf(old));
        }
    }

    public long? NewestSequence() => Sequences().Select(s => (long?)s).Max();

    /// <summary>Renames it to <c>holdfast.{sequence}.snapshot-aside</c>.</summary>
    public void PutAside(long sequence)
    {
        string path = PathOf(sequence);
        try
        {
            File.Move(path, path + Aside, overwrite: true);
            FolderSync.Flush(_folder);
        }
        catch (FileNotFoundException)
        {
            // Not there: so it isn't found any more either.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JournalException(JournalFault.NotWritten, $"{path} couldn't be put aside: {e.Message}", e);
        }
    }

    public async ValueTask<JournalSnapshot?> OpenAsync(CancellationToken cancellationToken)
    {
        if (NewestSequence() is not { } sequence)
        {
            return null;
        }

        var file = new FileStream(PathOf(sequence), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, BufferBytes, FileOptions.SequentialScan);
        try
        {
            long length = file.Length - SHA256.HashSizeInBytes;
            if (length < 0)
            {
                throw new JournalCorruptException(sequence, $"The snapshot of {sequence} is cut short.");
            }

            byte[] hash = new byte[SHA256.HashSizeInBytes];
            file.Position = length;
            await file.ReadExactlyAsync(hash, cancellationToken);
            file.Position = 0;
            return new JournalSnapshot(sequence, new VerifyingStream(file, length, hash, sequence));
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    private static async Task WriteWholeAsync(string path, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, BufferBytes);
        await using var piecewise = new PiecewiseStream(file);
        await using var hashing = new HashingStream(piecewise);
        await write(hashing, cancellationToken);
        await file.WriteAsync(hashing.Finish(), cancellationToken);
        file.Flush(flushToDisk: true);
    }

    private string PathOf(long sequence) => Path.Join(_folder, _prefix + sequence.ToString(CultureInfo.InvariantCulture) + Extension);

    private List<long> Sequences()
    {
        var sequences = new List<long>();
        if (!Directory.Exists(_folder))
        {
            return sequences;
        }

        foreach (string file in Directory.EnumerateFiles(_folder, _prefix + "*" + Extension))
        {
            ReadOnlySpan<char> middle = Path.GetFileName(file.AsSpan())[_prefix.Length..^Extension.Length];
            if (long.TryParse(middle, NumberStyles.None, CultureInfo.InvariantCulture, out long sequence))
            {
                sequences.Add(sequence);
            }
        }

        return sequences;
    }
}
