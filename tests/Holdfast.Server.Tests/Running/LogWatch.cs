using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server.Tests;

/// <summary>Waits for lines of a running server's log, by their event's number.</summary>
internal sealed class LogWatch : ILoggerProvider, ILogger
{
    private static readonly TimeSpan GiveUpAfter = TimeSpan.FromSeconds(60);
    private readonly Channel<int> _events = Channel.CreateUnbounded<int>();

    /// <summary>The next line that is one of these.</summary>
    public async Task<int> NextAsync(params int[] events)
    {
        using var late = new CancellationTokenSource(GiveUpAfter);
        await foreach (int logged in _events.Reader.ReadAllAsync(late.Token))
        {
            if (events.Contains(logged))
            {
                return logged;
            }
        }

        throw new InvalidOperationException("the log has ended");
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _events.Writer.TryWrite(eventId.Id);

    public void Dispose()
    {
    }
}
