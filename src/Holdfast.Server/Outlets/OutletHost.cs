using System.Collections.Concurrent;
using System.Data.Common;
using System.Threading.Channels;
using Holdfast.Engine;
using Holdfast.Engine.Effects;
using Holdfast.Journal;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server.Outlets;

/// <summary>
/// Follows the journals and tells the shop's services, one outlet independent of the other. What is told is durable first,
/// in the journal and then in the outlets' own store: a restart goes on where it was.
/// </summary>
internal sealed partial class OutletHost : BackgroundService
{
    private const int ReadAtOnce = 500;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan NobodyThereWait = TimeSpan.FromSeconds(2);

    private readonly SpaceHost _host;
    private readonly ILogger<OutletHost> _logger;
    private readonly Dictionary<string, Outlet> _outlets = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _before = new(StringComparer.Ordinal); // each space's sequence before this process wrote
    private readonly SaidLately _said;
    private readonly Lock _opening = new();
    private readonly string? _file;
    private OutletStore? _store;
    private readonly Channel<bool> _bell = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public OutletHost(ServerSettings settings, SpaceHost host, ILogger<OutletHost> logger)
    {
        _host = host;
        _logger = logger;
        _said = new SaidLately(host.Time);
        _file = settings.Journal == JournalKind.Memory ? null : Path.Join(settings.Data, "outlets.db");
        Lazy<IReadOnlyList<SigningKey>> own = new(() => SigningSecretFile.Keys(settings));
        foreach (OutletSettings outlet in OutletSettings.Parse(settings.Outlets))
        {
            IOutletSink sink = outlet.Url is { } url
                ? new WebhookSink(url, outlet.Secrets.Count > 0 ? outlet.Secrets : own.Value, host.Time)
                : new RabbitMqSink(outlet.Broker!, outlet.Exchange);
            _outlets.Add(outlet.Name, new Outlet(outlet, sink, new SaidLately(host.Time)));
        }

        if (_outlets.Count > 0)
        {
            host.SpaceOpened += space => space.BatchDurable += sequence =>
            {
                _before.TryAdd(space.Name, sequence); // the first one comes with the loading of the journal
                _bell.Writer.TryWrite(true);
            };
        }
    }

    /// <summary>Opened when first needed; where it couldn't be, it is tried again each time.</summary>
    private OutletStore Store
    {
        get
        {
            lock (_opening)
            {
                return _store ??= new OutletStore(_file);
            }
        }
    }

    /// <summary>How each outlet stands.</summary>
    public IReadOnlyList<OutletStatus> Status => [.. _outlets.Values.Select(o =>
    {
        (long waiting, long givenUp, string? last) = Store.Count(o.Settings.Name);
        return new OutletStatus(o.Settings.Name, o.Settings.Url is null ? "rabbitmq" : "webhook", Store.Disabled(o.Settings.Name), waiting, givenUp, last);
    })];

    /// <summary>Sends everything after a sequence again, under the same ids; also puts a disabled outlet back in use.</summary>
    /// <returns>False: there is no such outlet.</returns>
    public bool Replay(string outlet, Space space, long after)
    {
        if (!_outlets.ContainsKey(outlet))
        {
            return false;
        }

        Store.Disable(outlet, null);
        Store.SetPosition(outlet, space.Name, after);
        _bell.Writer.TryWrite(true);
        return true;
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        foreach (Outlet outlet in _outlets.Values)
        {
            await outlet.Sink.DisposeAsync();
        }

        lock (_opening)
        {
            _store?.Dispose();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_outlets.Count == 0)
        {
            return;
        }

        await Task.WhenAll(_outlets.Values.Select(o => SendAsync(o, stoppingToken)).Append(FollowAsync(stoppingToken)));
    }

    /// <summary>Journals into the store.</summary>
    private async Task FollowAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                foreach (Space space in _host.Spaces.Where(s => s.Status == SpaceStatus.Running))
                {
                    foreach (Outlet outlet in _outlets.Values)
                    {
                        await ReadAsync(outlet.Settings, space, stopping);
                    }
                }
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                if (_said.IsNews(e.Message))
                {
                    CannotFollow(_logger, e.Message, Trace(e));
                }
            }

            await WaitAsync(stopping);
        }
    }

    private async Task ReadAsync(OutletSettings outlet, Space space, CancellationToken stopping)
    {
        long durable = space.Durable.Sequence;
        if (Store.Position(outlet.Name, space.Name) is not { } at)
        {
            // A new outlet tells from this start of the server on; replay tells of what was before.
            at = Math.Min(durable, _before.GetValueOrDefault(space.Name, durable));
            Store.SetPosition(outlet.Name, space.Name, at);
        }

        if (at > durable)
        {
            // An older journal was put back. What it holds was told; what it will hold under these sequences was not.
            JournalPutBack(_logger, outlet.Name, at, space.Name, durable);
            at = durable;
            Store.SetPosition(outlet.Name, space.Name, at);
        }

        if (at == durable)
        {
            return;
        }

        var messages = new List<OutletMessage>();
        int read = 0;
        await foreach (ReadOnlyMemory<byte> bytes in space.Journal.ReadAsync(at + 1, stopping))
        {
            FrameView frame = Frame.Read(bytes);
            if (frame.Sequence > durable)
            {
                break;
            }

            messages.AddRange(OutletMessages.Of(space.Name, frame).Where(m => outlet.Wants(m.Type)));
            at = frame.Sequence;
            if (++read % ReadAtOnce == 0)
            {
                Add();
            }
        }

        Add();

        void Add()
        {
            Store.Add(outlet.Name, space.Name, at, messages, Now());
            if (messages.Count > 0)
            {
                _outlets[outlet.Name].Bell.Writer.TryWrite(true);
            }

            messages.Clear();
        }
    }

    /// <summary>The store into the sink.</summary>
    private async Task SendAsync(Outlet outlet, CancellationToken stopping)
    {
        string name = outlet.Settings.Name;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                IReadOnlyList<DueMessage> due = Store.Disabled(name) is null ? Store.Due(name, Now(), outlet.Sink.AtOnce) : [];
                if (due.Count == 0)
                {
                    await Task.WhenAny(outlet.Bell.Reader.WaitToReadAsync(stopping).AsTask(), Task.Delay(LookEvery, stopping));
                    outlet.Bell.Reader.TryRead(out _);
                    continue;
                }

                Delivery[] deliveries = await Task.WhenAll(due.Select(m => outlet.Sink.SendAsync(m, stopping)));
                await SettleAsync(outlet, due, deliveries, stopping);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                if (outlet.Said.IsNews(e.Message))
                {
                    CannotSend(_logger, name, e.Message, Trace(e));
                }

                await Task.Delay(LookEvery, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task SettleAsync(Outlet outlet, IReadOnlyList<DueMessage> due, Delivery[] deliveries, CancellationToken stopping)
    {
        string name = outlet.Settings.Name;
        Store.Delivered(due.Where((_, i) => deliveries[i].Taken).Select(m => m.Number));
        for (int i = 0; i < due.Count; i++)
        {
            if (deliveries[i].Taken)
            {
                continue;
            }

            int attempts = (int)due[i].Attempts + (deliveries[i].NobodyThere ? 0 : 1);
            long? next = deliveries[i].NobodyThere ? Now() + (long)NobodyThereWait.TotalMilliseconds
                : attempts < outlet.Settings.Schedule.Count ? Now() + (long)outlet.Settings.Schedule[attempts].TotalMilliseconds
                : null;
            Store.Failed(due[i].Number, attempts, next, deliveries[i].Text);
            if (next is null)
            {
                GivenUp(_logger, name, due[i].Id, attempts, deliveries[i].Text);
            }
        }

        if (deliveries.Any(d => d.Gone))
        {
            Store.Disable(name, "the endpoint answered 410: it wants no more");
            Gone(_logger, name);
        }
        else if (deliveries.Any(d => d.SlowDown))
        {
            await Task.Delay(NobodyThereWait, stopping);
        }
    }

    private async Task WaitAsync(CancellationToken stopping)
    {
        await Task.WhenAny(_bell.Reader.WaitToReadAsync(stopping).AsTask(), Task.Delay(LookEvery, stopping));
        _bell.Reader.TryRead(out _);
    }

    /// <summary>Storage that fails is no defect: its words say all.</summary>
    private static Exception? Trace(Exception e) => e is DbException or IOException or UnauthorizedAccessException or JournalException ? null : e;

    private long Now() => _host.Time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(160, LogLevel.Error, "Outlets can't follow the journals at the moment: {Reason}. (It is tried again; at most one such line in ten seconds while the reason stays the same.)")]
    private static partial void CannotFollow(ILogger logger, string reason, Exception? exception);

    [LoggerMessage(161, LogLevel.Error, "Outlet {Outlet} can't send at the moment: {Reason}. (It is tried again; at most one such line in ten seconds while the reason stays the same.)")]
    private static partial void CannotSend(ILogger logger, string outlet, string reason, Exception? exception);

    [LoggerMessage(162, LogLevel.Error, "Outlet {Outlet} gives up message {Id} after {Attempts} attempts ({Reason}); replay sends it again.")]
    private static partial void GivenUp(ILogger logger, string outlet, string id, int attempts, string reason);

    [LoggerMessage(164, LogLevel.Warning, "Outlet {Outlet} had told up to {Position} of space {Space}, whose journal ends at {End}: an older one was put back. It goes on from there; ids of messages beyond that were used before.")]
    private static partial void JournalPutBack(ILogger logger, string outlet, long position, string space, long end);

    [LoggerMessage(163, LogLevel.Warning, "Outlet {Outlet} answered 410 and is disabled; replay puts it back in use.")]
    private static partial void Gone(ILogger logger, string outlet);

    private sealed record Outlet(OutletSettings Settings, IOutletSink Sink, SaidLately Said)
    {
        public Channel<bool> Bell { get; } = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    }
}

/// <summary>How an outlet stands.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind"><c>webhook</c> or <c>rabbitmq</c>.</param>
/// <param name="Disabled">Why it is disabled; null: it isn't.</param>
/// <param name="Waiting">Messages that are to be sent.</param>
/// <param name="GivenUp">Messages that were given up.</param>
/// <param name="LastFailure">What the last one that failed was answered.</param>
internal sealed record OutletStatus(string Name, string Kind, string? Disabled, long Waiting, long GivenUp, string? LastFailure);
