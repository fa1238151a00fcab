using Holdfast.Engine;
using Holdfast.Journal;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server;

/// <summary>
/// Opens the spaces while the server already listens: a long replay is then seen as "alive, not ready" instead of as a
/// dead port. A journal, or a channel, that can't be used ends the process; storage that isn't there yet is waited for.
/// </summary>
internal sealed partial class SpaceStarter(SpaceHost host, ViewHost views, ChannelSetup channels, IServer server, IHostApplicationLifetime lifetime, ILogger<SpaceStarter> logger) : BackgroundService
{
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(1);

    // Asked for although it isn't used here: the views must exist, and so listen, before the first space opens.
    private readonly ViewHost _views = views;
    private volatile bool _started;

    /// <summary>Whether every space has been replayed once.</summary>
    public bool Started => _started;

    /// <summary>Why they are not open yet, if something is wrong.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Why they can't be opened at all; the process ends.</summary>
    public Exception? Failure { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Listening first: who stops a host that is still starting gets a cancelled start for an answer, and no reason.
        var listening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration started = lifetime.ApplicationStarted.Register(() => listening.TrySetResult());
        await using CancellationTokenRegistration stopped = stoppingToken.Register(() => listening.TrySetResult());
        await listening.Task;
        if (server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() is { } address)
        {
            try
            {
                channels.Start(new Uri(address));
            }
            catch (Exception e)
            {
                ChannelsCannotStart(logger, e.Message);
                Fail(e);
                return;
            }
        }

        while (!_started && !stoppingToken.IsCancellationRequested)
        {
            try
            {
                await host.StartAsync(stoppingToken);
                Trouble = null;
                _started = true;
                Ready(logger, host.Spaces.Count);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (JournalException e)
            {
                Trouble = e.Message;
                NotReachable(logger, e.Message);
                await Task.Delay(RetryEvery, host.Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e)
            {
                CannotStart(logger, e.Message, e);
                Fail(e);
                return;
            }
        }
    }

    private void Fail(Exception e)
    {
        Trouble = e.Message;
        Failure = e;
        lifetime.StopApplication();
    }

    [LoggerMessage(110, LogLevel.Information, "Ready: {Spaces} space(s) serve.")]
    private static partial void Ready(ILogger logger, int spaces);

    [LoggerMessage(111, LogLevel.Warning, "Storage is not reachable yet ({Reason}); trying again.")]
    private static partial void NotReachable(ILogger logger, string reason);

    [LoggerMessage(112, LogLevel.Critical, "The journal can't be used, so the server stops: {Reason}")]
    private static partial void CannotStart(ILogger logger, string reason, Exception exception);

    [LoggerMessage(113, LogLevel.Critical, "The payment channels can't be set up, so the server stops: {Reason}")]
    private static partial void ChannelsCannotStart(ILogger logger, string reason);
}
