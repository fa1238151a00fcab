using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Holdfast.Server.Tests.Resp;
using Holdfast.Server.Transport;
using Microsoft.AspNetCore.Connections;

namespace Holdfast.Server.Tests.Transport;

/// <summary>Connections on epoll, as Kestrel uses them: all bytes in order, nobody starved, ends noticed, waits that can be ended.</summary>
public sealed class EpollTransportTests : IAsyncLifetime
{
    private readonly EpollLoop _loop = new();
    private EpollTransport _transport = null!;
    private IConnectionListener _listener = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(Epoll.IsSupported, "epoll is Linux's");
        _transport = new EpollTransport(_loop, ownLoops: 2);
        _listener = await _transport.BindAsync(new IPEndPoint(IPAddress.Loopback, 0), Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        await _listener.DisposeAsync();
        _transport.Dispose();
        _loop.Dispose();
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(4096, 0)]
    [InlineData(100_000, 0)]
    [InlineData(70_000, 1)]
    public async Task All_bytes_come_back_in_order_whatever_the_sizes_and_however_slowly_they_are_read(int chunk, int restMs)
    {
        (Socket client, ConnectionContext server) = await ConnectAsync();
        using Socket socket = client;
        Task echo = EchoAsync(server);
        byte[] sent = new byte[restMs > 0 ? 8_000_000 : Math.Min(chunk * 4000, 24_000_000)];
        new Random(chunk).NextBytes(sent);
        Task sending = Task.Run(async () =>
        {
            for (int at = 0; at < sent.Length; at += chunk)
            {
                await socket.SendAsync(sent.AsMemory(at, Math.Min(chunk, sent.Length - at)), Cancelled);
            }

            socket.Shutdown(SocketShutdown.Send);
        }, Cancelled);
        using var received = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[64 * 1024];
        int total = 0;
        for (int count; (count = await socket.ReceiveAsync(buffer, Cancelled)) > 0; total += count)
        {
            received.AppendData(buffer, 0, count);
            if (restMs > 0)
            {
                await Task.Delay(restMs, Cancelled);
            }
        }

        await sending;
        await echo;
        total.ShouldBe(sent.Length);
        received.GetHashAndReset().ShouldBe(SHA256.HashData(sent));
    }

    [Fact]
    public async Task A_client_that_sends_without_end_lets_the_others_have_their_turn()
    {
        (Socket client, ConnectionContext server) = await ConnectAsync();
        using Socket socket = client;
        socket.Blocking = false;
        int most = await Task.Run(() => MostInARowAsync(server.Transport.Input, socket), Cancelled);
        most.ShouldBeInRange(5, 16);
        await server.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_leaves_is_noticed_while_nobody_reads(bool reset)
    {
        (Socket client, ConnectionContext server) = await ConnectAsync();
        await client.SendAsync(new byte[10], Cancelled);
        ReadResult read = await server.Transport.Input.ReadAsync(Cancelled);
        server.Transport.Input.AdvanceTo(read.Buffer.End);
        server.ConnectionClosed.IsCancellationRequested.ShouldBeFalse();
        client.LingerState = new LingerOption(reset, 0);
        client.Dispose();
        await Task.Delay(Timeout.Infinite, server.ConnectionClosed).WaitAsync(TimeSpan.FromSeconds(20), Cancelled).ShouldThrowAsync<OperationCanceledException>();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task What_was_sent_before_the_client_left_is_read_first()
    {
        (Socket client, ConnectionContext server) = await ConnectAsync();
        await client.SendAsync(new byte[10_000], Cancelled);
        client.Dispose();
        PipeReader input = server.Transport.Input;
        ReadResult read = await input.ReadAsync(Cancelled);
        while (!read.IsCompleted)
        {
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            read = await input.ReadAsync(Cancelled);
        }

        read.Buffer.Length.ShouldBe(10_000);
        await server.DisposeAsync();
    }

    [Fact]
    public async Task A_waiting_read_can_be_cancelled_and_the_next_one_goes_on()
    {
        (Socket client, ConnectionContext server) = await ConnectAsync();
        using Socket socket = client;
        PipeReader input = server.Transport.Input;
        ValueTask<ReadResult> waiting = input.ReadAsync(Cancelled);
        input.CancelPendingRead();
        (await waiting).IsCanceled.ShouldBeTrue();
        input.CancelPendingRead();
        (await input.ReadAsync(Cancelled)).IsCanceled.ShouldBeTrue();
        using var soon = new CancellationTokenSource(50);
        await Should.ThrowAsync<OperationCanceledException>(async () => await input.ReadAsync(soon.Token));
        ValueTask<ReadResult> next = input.ReadAsync(Cancelled);
        await socket.SendAsync(new byte[3], Cancelled);
        (await next).Buffer.Length.ShouldBe(3);
        await server.DisposeAsync();
    }

    [Fact]
    public async Task A_flush_that_nobody_reads_waits_and_can_be_cancelled_or_aborted()
    {
        (Socket client, ConnectionContext server) = await ConnectAsync();
        using Socket socket = client;
        PipeWriter output = server.Transport.Output;
        output.Write(new byte[32_000_000]);
        ValueTask<FlushResult> waiting = output.FlushAsync(Cancelled);
        waiting.IsCompleted.ShouldBeFalse();
        output.CancelPendingFlush();
        (await waiting).IsCanceled.ShouldBeTrue();
        output.UnflushedBytes.ShouldBeGreaterThan(0);
        using var soon = new CancellationTokenSource(50);
        await Should.ThrowAsync<OperationCanceledException>(async () => await output.FlushAsync(soon.Token));
        waiting = output.FlushAsync(Cancelled);
        server.Abort(new ConnectionAbortedException("enough"));
        (await waiting).IsCompleted.ShouldBeTrue();
        (await Record.ExceptionAsync(async () => await server.Transport.Input.ReadAsync(Cancelled))).ShouldBeOfType<ConnectionAbortedException>();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task The_last_answer_arrives_though_the_client_sent_more_than_anybody_took()
    {
        (Socket client, ConnectionContext server) = await ConnectAsync();
        using Socket socket = client;
        await socket.SendAsync(new byte[500_000], Cancelled);
        server.Transport.Output.Write("why"u8);
        await server.Transport.Output.FlushAsync(Cancelled);
        await server.DisposeAsync();

        // A reset would end this, and on some systems take the answer from the client.
        for (int i = 0; i < 10; i++)
        {
            await socket.SendAsync(new byte[10_000], Cancelled);
            await Task.Delay(20, Cancelled);
        }

        byte[] answer = new byte[10];
        (await socket.ReceiveAsync(answer, Cancelled)).ShouldBe(3);
        (await socket.ReceiveAsync(answer, Cancelled)).ShouldBe(0);
    }

    [Fact]
    public void Http_has_threads_of_its_own_only_where_there_are_processors_for_them()
    {
        EpollTransport.OwnLoopsFor(1).ShouldBe(0);
        EpollTransport.OwnLoopsFor(2).ShouldBe(0);
        EpollTransport.OwnLoopsFor(4).ShouldBe(2);
        EpollTransport.OwnLoopsFor(64).ShouldBe(4);
    }

    [Fact]
    public async Task Sockets_are_served_while_no_space_serves_and_by_its_thread_when_one_does()
    {
        await using RespServer server = await RespServer.StartAsync();
        var loop = (EpollLoop)server.Running.App.Services.GetService(typeof(EpollLoop))!;
        loop.IsHosted.ShouldBeTrue();
        loop.Enter().ShouldBeFalse();
        (await server.ExchangeAsync("PING")).ShouldBe("+PONG\r\n");

        await server.Running.Spaces.Default.DisposeAsync();
        loop.IsHosted.ShouldBeFalse();
        (await server.ExchangeAsync("PING")).ShouldBe("+PONG\r\n");
        (await server.ExchangeAsync("HOLD.TRY h1 - 0 sku-1 1")).ShouldStartWith("-UNAVAILABLE ");
    }

    /// <summary>The longest row of reads that ended at once, on the loop's own thread, while there was always more to read.</summary>
    private static async Task<int> MostInARowAsync(PipeReader input, Socket client)
    {
        // Nothing is there yet, so this one waits, and what follows it runs on the loop.
        ValueTask<ReadResult> reading = input.ReadAsync(Cancelled);
        byte[] flood = new byte[100_000];
        _ = Task.Delay(200, Cancelled).ContinueWith(_ => client.Send(flood), TaskScheduler.Default);
        int inARow = 0;
        int most = 0;
        for (int i = 0; i < 200; i++)
        {
            ReadResult read = await reading;
            Thread.CurrentThread.Name.ShouldBe("holdfast sockets");
            input.AdvanceTo(read.Buffer.End);
            while (client.Poll(0, SelectMode.SelectWrite))
            {
                client.Send(flood, 0, flood.Length, SocketFlags.None, out _);
            }

            // The one that waits is told by this very thread: it can't be over before it is awaited.
            reading = input.ReadAsync(Cancelled);
            inARow = reading.IsCompleted ? inARow + 1 : 0;
            most = Math.Max(most, inARow);
        }

        await reading;
        return most;
    }

    private static async Task EchoAsync(ConnectionContext connection)
    {
        PipeReader input = connection.Transport.Input;
        PipeWriter output = connection.Transport.Output;
        while (true)
        {
            ReadResult read = await input.ReadAsync(Cancelled);
            foreach (ReadOnlyMemory<byte> part in read.Buffer)
            {
                output.Write(part.Span);
            }

            input.AdvanceTo(read.Buffer.End);
            await output.FlushAsync(Cancelled);
            if (read.IsCompleted)
            {
                break;
            }
        }

        await connection.DisposeAsync();
    }

    private static async Task<Socket> ClientAsync(IConnectionListener listener)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(listener.EndPoint, Cancelled);
        return client;
    }

    private async Task<(Socket Client, ConnectionContext Server)> ConnectAsync()
    {
        Socket client = await ClientAsync(_listener);
        return (client, (await _listener.AcceptAsync(Cancelled))!);
    }
}
