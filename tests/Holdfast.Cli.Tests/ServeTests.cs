using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Cli.Demo;
using Holdfast.TestKit;

namespace Holdfast.Cli.Tests;

public sealed class ServeTests : IDisposable
{
    private static readonly TimeSpan DrainMax = TimeSpan.FromSeconds(10);
    private readonly TempFolder _folder = new();

    [Fact]
    public async Task Serves_http_says_how_to_try_it_and_ends_with_zero_on_sigterm()
    {
        await using ServerProcess server = Server();
        server.Start();
        await server.WaitReadyAsync();
        using var http = new HttpClient();

        using HttpResponseMessage put = await http.PutAsync(new Uri(server.HttpAddress, "/v1/resources/sku-1"), new StringContent("{}", Encoding.UTF8, "application/json"));
        put.StatusCode.ShouldBe(HttpStatusCode.Created);
        string resource = await http.GetStringAsync(new Uri(server.HttpAddress, "/v1/resources/sku-1"));
        resource.ShouldContain("\"id\":\"sku-1\"");
        http.Dispose();

        (await server.StopAsync()).ShouldBe(0);
        server.Log.ShouldContain($"curl -X PUT {server.HttpAddress.ToString().TrimEnd('/')}/v1/resources/sku-1");
    }

    [Fact]
    public async Task Drains_within_seconds_although_a_resp_client_stays_connected()
    {
        await using ServerProcess server = Server();
        server.Start();
        await server.WaitReadyAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(IPEndPoint.Parse(server.RespAddress));
        await client.GetStream().WriteAsync("PING\r\n"u8.ToArray());
        (await client.GetStream().ReadAsync(new byte[16])).ShouldBeGreaterThan(0);

        (await server.StopAsync().WaitAsync(DrainMax)).ShouldBe(0);
    }

    [Fact]
    public async Task A_port_in_use_is_one_clear_error()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        string address = taken.LocalEndpoint.ToString()!;

        ProgramRun run = await HoldfastProgram.RunAsync("serve", "--data", _folder.Path, "--http", "127.0.0.1:0", "--resp", address);

        run.ExitCode.ShouldBe(2);
        run.Error.TrimEnd().ShouldBe($"error: can't listen on {address}: another program (another Holdfast?) listens there already. Choose another address with --resp HOST:PORT.");
        run.Output.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("--http is not an address", "http is 'nonsense'", "serve", "--http", "nonsense")]
    [InlineData("not loopback, no keys", "Protected mode", "serve", "--http", "0.0.0.0:0")]
    [InlineData("no connection string", "connection is not set", "serve", "--journal", "postgres")]
    [InlineData("not a connection string", "connection is not a connection string", "serve", "--journal", "postgres", "--connection", "nonsense")]
    [InlineData("unknown option", "--nonsense", "serve", "--nonsense")]
    [InlineData("unknown command", "nonsense", "nonsense")]
    public async Task A_bad_setting_is_one_clear_error_and_exit_code_two(string why, string says, params string[] arguments)
    {
        ProgramRun run = await HoldfastProgram.RunAsync(arguments);

        run.ExitCode.ShouldBe(2, why);
        run.Error.ShouldStartWith("error: ");
        run.Error.ShouldContain(says);
        run.Error.ShouldNotContain("   at ", Case.Sensitive, "a stack trace is not for people");
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_is_one_clear_error()
    {
        string file = _folder.File("file");
        await File.WriteAllTextAsync(file, "");

        ProgramRun run = await HoldfastProgram.RunAsync("serve", "--data", file, "--http", "127.0.0.1:0", "--resp", "off");

        run.ExitCode.ShouldBe(2);
        run.Error.ShouldStartWith($"error: data is '{file}'");
    }

    public void Dispose() => _folder.Dispose();

    private ServerProcess Server() => new(_folder.File("data"), FreePort.Next(), FreePort.Next());
}
