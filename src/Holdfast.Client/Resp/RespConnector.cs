using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Client.Retries;

namespace Holdfast.Client.Resp;

/// <summary>Keeps one connection: opens it when it is first needed and again when it is lost, once for all callers.</summary>
internal sealed class RespConnector(HoldfastClientOptions options, Backoff backoff, PendingCommand.Pool pool) : IDisposable
{
    private readonly EndPoint _endPoint = ParseEndPoint(options.RespAddress);
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _disposed = new();
    private RespConnection? _connection;
    private Task<Opened>? _opening;
    private int _failures;

    /// <summary>The connection if it is alive, without waiting.</summary>
    public RespConnection? Current => _connection is { IsOpen: true } open ? open : null;

    /// <summary>The last connection, alive or not (for tests and measurements).</summary>
    internal RespConnection? Last => _connection;

    /// <summary>Waits for a connection, or for the failure to open one.</summary>
    public Task<Opened> OpenAsync()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, typeof(RespHoldfastClient));
            if (Current is { } open)
            {
                return Task.FromResult(new Opened(open, default));
            }

            if (_opening is null || _opening.IsCompleted)
            {
                _opening = Task.Run(OpenOnceAsync);
            }

            return _opening;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed.Cancel();
            _connection?.Dispose();
        }
    }

    // The outcome is a value: thousands of waiting callers would each pay for rethrowing an exception.
    private async Task<Opened> OpenOnceAsync()
    {
        using var timeout = new CancellationTokenSource(options.ConnectTimeout, options.TimeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _disposed.Token);
        RespConnection? connection = null;
        try
        {
            if (_failures > 0)
            {
                // Callers back off each by themselves, but together they would still knock all the time.
                await Task.Delay(backoff.Next(_failures), options.TimeProvider, _disposed.Token).ConfigureAwait(false);
                timeout.TryReset();
                timeout.CancelAfter(options.ConnectTimeout);
            }

            connection = await RespConnection.OpenAsync(_endPoint, options, either.Token).ConfigureAwait(false);
            await IntroduceAsync(connection, either.Token).ConfigureAwait(false);
            return Publish(connection);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            connection?.Dispose();
            _failures++;
            return new Opened(null, new AttemptFailure(
                MayHaveExecuted: false,
                $"can't connect to {options.RespAddress} ({(timeout.IsCancellationRequested ? "timed out" : e.Message)})",
                Cause: e));
        }
        catch
        {
            connection?.Dispose();
            throw;
        }
    }

    private Opened Publish(RespConnection connection)
    {
        lock (_gate)
        {
            if (_disposed.IsCancellationRequested)
            {
                connection.Dispose();
                throw new ObjectDisposedException(nameof(RespHoldfastClient));
            }

            _failures = 0;
            _connection = connection;
            return new Opened(connection, default);
        }
    }

    // AUTH and SPACE belong to the connection, so they come before anybody's command on it.
    private async Task IntroduceAsync(RespConnection connection, CancellationToken cancellationToken)
    {
        if (options.ApiKey is { } key)
        {
            await IntroduceAsync(connection, new UnaryCommand("AUTH", key), cancellationToken).ConfigureAwait(false);
        }

        if (options.Space is { } space)
        {
            await IntroduceAsync(connection, new UnaryCommand("SPACE", space), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task IntroduceAsync(RespConnection connection, UnaryCommand command, CancellationToken cancellationToken)
    {
        var pending = pool.Rent();
        connection.Enqueue(command, pending);
        var completion = await pending.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (completion.Cause is RespFormatException e)
        {
            throw RespReplies.NotResp(e);
        }

        if (completion.Kind != CompletionKind.Reply)
        {
            throw new IOException(completion.Reason, completion.Cause);
        }

        if (RespReplies.RetryableFailure(completion.Reply) is { } failure)
        {
            throw new IOException(failure.Message);
        }

        // An open server needs no key, and over HTTP doesn't look at one.
        if (RespReplies.SaysThatNoKeyIsNeeded(completion.Reply))
        {
            return;
        }

        if (RespReplies.ToRefusal(completion.Reply) is { } refusal)
        {
            throw new HoldfastProtocolException($"The server refused the connection's space '{options.Space}': {refusal.Message}");
        }
    }

    private static EndPoint ParseEndPoint(string? address)
    {
        var colon = address?.LastIndexOf(':') ?? -1;
        ushort port = 0;
        Rule.Check(
            colon > 0 && IsHost(address![..colon]) && ushort.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) && port != 0,
            nameof(HoldfastClientOptions.RespAddress),
            $"host:port, with an IPv6 address in brackets, not '{address}'");
        return IPEndPoint.TryParse(address!, out var ip) ? ip : new DnsEndPoint(address![..colon], port);
    }

    // Without brackets, the last part of an IPv6 address can't be told from a port.
    private static bool IsHost(string host) => Uri.CheckHostName(host) switch
    {
        UriHostNameType.IPv6 => host[0] == '[',
        UriHostNameType.Unknown => false,
        _ => true,
    };

    /// <summary>A connection, or why there is none.</summary>
    internal readonly record struct Opened(RespConnection? Connection, AttemptFailure Failure);
}
