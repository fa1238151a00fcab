using Holdfast.Kernel;

namespace Holdfast.Engine.Effects;

/// <summary>
/// Stands between the spaces and the dispatcher: hands it the calls that are due, and brings each result back as a command.
/// A result that a space doesn't take at the moment is brought again; if the process ends before, the call is made again.
/// </summary>
public sealed class EffectHost : IAsyncDisposable
{
    private static readonly TimeSpan BringAgainAfter = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Attaches to every space that the host opens from now on.</summary>
    public EffectHost(SpaceHost host, EffectDispatcher dispatcher, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(host);
        Dispatcher = dispatcher;
        _time = time;
        host.SpaceOpened += space => space.CallDue += call => Dispatcher.Send(space.Name, call, result => _ = BringAsync(space, call, result));
    }

    /// <summary>What makes the calls.</summary>
    public EffectDispatcher Dispatcher { get; }

    /// <summary>Stops making calls.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Dispatcher.DisposeAsync();
    }

    private async Task BringAsync(Space space, DueCall call, CallResult result)
    {
        while (!_stopping.IsCancellationRequested)
        {
            var command = new AnswerCall(space.Hasher, call, result.Outcome, result.Text, result.RetryMs);
            Answer answer = await space.AskAsync(command);
            if (answer.Code is not (Code.Overloaded or Code.Unavailable) || space.Status == SpaceStatus.Stopped)
            {
                return;
            }

            await Task.Delay(BringAgainAfter, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
