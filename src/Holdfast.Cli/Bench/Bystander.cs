using System.Diagnostics;

namespace Holdfast.Cli.Bench;

/// <summary>
/// A thread that only sleeps, a millisecond at a time, and remembers how late it woke at worst: what the machine (a host that
/// takes the processors away) and the collector do to everybody, beside what a pause of the loop is.
/// </summary>
internal sealed class Bystander : IDisposable
{
    private readonly Thread _thread;
    private long _longest;
    private volatile bool _stopping;

    public Bystander()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "bystander" };
        _thread.Start();
    }

    /// <summary>The longest sleep so far.</summary>
    public double LongestMs => Volatile.Read(ref _longest) * 1000.0 / Stopwatch.Frequency;

    public void Dispose()
    {
        _stopping = true;
        _thread.Join();
    }

    private void Run()
    {
        while (!_stopping)
        {
            long began = Stopwatch.GetTimestamp();
            Thread.Sleep(1);
            _longest = Math.Max(_longest, Stopwatch.GetTimestamp() - began);
        }
    }
}
