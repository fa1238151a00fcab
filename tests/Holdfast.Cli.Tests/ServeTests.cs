using System.Diagnostics;
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

    [Fact]
    public async Task What_it_says_to_try_works_after_what_the_README_says()
    {
        await using ServerProcess server = Server();
        server.Start();
        await server.WaitReadyAsync();
        using var http = new HttpClient { BaseAddress = server.HttpAddress };
        (await SendAsync(HttpMethod.Put, "/v1/resources/sku-1", """{"limitPerOwner":2}""")).ShouldBe(HttpStatusCode.Created);
        (await SendAsync(HttpMethod.Post, "/v1/resources/sku-1/adjustments", """{"id":"a1","delta":100,"reason":"first delivery"}""")).ShouldBe(HttpStatusCode.OK);
        (await SendAsync(HttpMethod.Post, "/v1/holds", """{"id":"h1","owner":"ann","lines":[{"resource":"sku-1","quantity":2}]}""")).ShouldBe(HttpStatusCode.Created);
        (await SendAsync(HttpMethod.Post, "/v1/holds/h1/confirm", null)).ShouldBe(HttpStatusCode.OK);

        string[] said = server.Log.Split(Environment.NewLine);
        int tried = 0;
        foreach (string line in said.Where(l => l.TrimStart().StartsWith("curl", StringComparison.Ordinal)))
        {
            string address = line.Split(' ').Single(w => w.StartsWith("http://", StringComparison.Ordinal));
            (await SendAsync(line.Contains("-X PUT", StringComparison.Ordinal) ? HttpMethod.Put : HttpMethod.Post, address, line.Split("-d '")[1].TrimEnd('\'')))
                .ShouldBeOneOf(HttpStatusCode.OK, HttpStatusCode.Created);
            tried++;
        }

        tried.ShouldBe(3);

        async Task<HttpStatusCode> SendAsync(HttpMethod method, string path, string? body)
        {
            using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
            using HttpResponseMessage response = await http.SendAsync(request);
            return response.StatusCode;
        }
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("*", "127.0.0.1")]
    [InlineData("127.0.0.1", "0.0.0.0")]
    public async Task One_port_for_both_is_one_clear_error(string http, string resp)
    {
        int port = FreePort.Next();
        var start = new ProcessStartInfo(HoldfastProgram.Path, ["serve", "--data", _folder.Path, "--http", $"{http}:{port}", "--resp", $"{resp}:{port}"]);
        start.Environment["HOLDFAST_APIKEYS__0__NAME"] = "shop";
        start.Environment["HOLDFAST_APIKEYS__0__KEY"] = "a key of the shop's that is long enough";
        start.Environment["HOLDFAST_APIKEYS__0__ROLES"] = "write";
        await ShouldSayAsync(start, "each needs a port of its own");
    }

    [Fact]
    public async Task What_shows_only_when_the_server_is_built_is_one_clear_error_too()
    {
        string[] arguments = ["serve", "--data", _folder.Path, "--http", "127.0.0.1:0", "--resp", "off"];
        var twice = new ProcessStartInfo(HoldfastProgram.Path, arguments);
        foreach (int place in new[] { 0, 1 })
        {
            twice.Environment[$"HOLDFAST_APIKEYS__{place}__NAME"] = $"shop-{place}";
            twice.Environment[$"HOLDFAST_APIKEYS__{place}__KEY"] = "a key of the shop's that is long enough";
            twice.Environment[$"HOLDFAST_APIKEYS__{place}__ROLES"] = "write";
        }

        await ShouldSayAsync(twice, "is given twice");

        await File.WriteAllTextAsync(_folder.File("signing-secret"), "garbage");
        await ShouldSayAsync(new ProcessStartInfo(HoldfastProgram.Path, arguments), _folder.File("signing-secret"));

        // A journal elsewhere, but the secret can't be kept: a file stands where the folder should.
        await ShouldSayAsync(
            new ProcessStartInfo(
                HoldfastProgram.Path,
                ["serve", "--data", _folder.File("signing-secret"), "--http", "127.0.0.1:0", "--resp", "off", "--journal", "postgres", "--connection", "Host=127.0.0.1;Port=9"]),
            _folder.File("signing-secret"));
    }

    [Fact]
    public async Task Channels_that_can_not_be_used_are_one_clear_error()
    {
        var start = new ProcessStartInfo(HoldfastProgram.Path, ["serve", "--data", _folder.Path, "--http", "127.0.0.1:0", "--resp", "off"]);
        start.Environment["HOLDFAST_CHANNELS__SIMULATOR__NOTIFYURL"] = "not a url";
        await ShouldSayAsync(start, "notifyUrl must be an http or https address");

        // What shows only when the provider inside begins: its file can't be opened.
        Directory.CreateDirectory(_folder.File("simulator.jsonl"));
        start.Environment["HOLDFAST_CHANNELS__SIMULATOR__NOTIFYURL"] = null;
        start.Environment["HOLDFAST_CHANNELS__SIMULATOR__SEED"] = "1";
        ProgramRun run = await HoldfastProgram.RunAsync(start);
        run.ExitCode.ShouldBe(1, run.Error);
        run.Error.ShouldStartWith("error: ");
        run.Error.ShouldContain("simulator.jsonl");
        run.Error.TrimEnd().ShouldNotContain('\n');
    }

    [Fact]
    public async Task The_simulator_on_a_port_in_use_is_one_clear_error()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await ShouldSayAsync(
            new ProcessStartInfo(HoldfastProgram.Path, ["simulator", "--http", taken.LocalEndpoint.ToString()!, "--secret", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]),
            $"can't listen on {taken.LocalEndpoint}: another program");
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

    [Fact]
    public async Task A_folder_where_the_journal_must_be_is_one_clear_error()
    {
        Directory.CreateDirectory(_folder.File("holdfast.db"));

        await ShouldSayAsync(
            new ProcessStartInfo(HoldfastProgram.Path, ["serve", "--data", _folder.Path, "--http", "127.0.0.1:0", "--resp", "off"]),
            $"'{_folder.File("holdfast.db")}' is a folder");
    }

    public void Dispose() => _folder.Dispose();

    private static async Task ShouldSayAsync(ProcessStartInfo start, string says)
    {
        ProgramRun run = await HoldfastProgram.RunAsync(start);
        run.ExitCode.ShouldBe(2, run.Error);
        run.Error.ShouldStartWith("error: ");
        run.Error.ShouldContain(says);
        run.Error.TrimEnd().ShouldNotContain('\n', "a stack trace is not for people");
    }

    private ServerProcess Server() => new(_folder.File("data"), FreePort.Next(), FreePort.Next());
}
