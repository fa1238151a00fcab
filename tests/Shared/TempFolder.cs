namespace Holdfast.TestKit;

/// <summary>A folder of its own for one test, removed with everything in it at the end.</summary>
public sealed class TempFolder : IDisposable
{
    public TempFolder(string prefix = "holdfast-test-")
    {
        Path = Directory.CreateTempSubdirectory(prefix).FullName;
    }

    public string Path { get; }

    public string File(string name) => System.IO.Path.Join(Path, name);

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
            // A file still open elsewhere is no reason to fail a test that passed; the system cleans its temp folder.
        }
    }
}
