using System.Net.Http.Json;
using System.Text.Json.Nodes;
using FlashSaleShop.Shop;
using Holdfast.Cli.Demo;
using Holdfast.TestKit;
using Npgsql;

namespace FlashSaleShop.Tests.EdgeCases;

/// <summary>
/// Two coordinators, a points service and an orders service, each a process of its own; the services' books in a real
/// PostgreSQL; the network between them in the test's hands.
/// </summary>
public sealed class ShopProcesses : IAsyncLifetime
{
    public const long PointsAtFirst = 400;

    private const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    private static readonly string Program = Path.Join(AppContext.BaseDirectory, "FlashSaleShop");

    private readonly PostgresServer _postgres = new();
    private readonly TempFolder _folder = new("holdfast-edge-");
    private readonly List<ChildProcess> _processes = [];
    private int _pointsPort;
    private int _ordersPort;
    private int _users;

    internal Network Network { get; private set; } = null!;

    public HttpClient Coordinator { get; private set; } = null!;

    public HttpClient SecondCoordinator { get; private set; } = null!;

    public string PointsDatabase { get; private set; } = null!;

    public string OrdersDatabase { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await _postgres.InitializeAsync();
        PointsDatabase = await _postgres.CreateDatabaseAsync();
        OrdersDatabase = await _postgres.CreateDatabaseAsync();
        Network = await Network.StartAsync();
        Coordinator = await CoordinatorAsync("first");
        SecondCoordinator = await CoordinatorAsync("second");
        _pointsPort = await ServiceAsync("points", PointsDatabase);
        _ordersPort = await ServiceAsync("orders", OrdersDatabase);
    }

    public async ValueTask DisposeAsync()
    {
        Coordinator.Dispose();
        SecondCoordinator.Dispose();
        foreach (ChildProcess process in _processes)
        {
            process.Dispose();
        }

        await Network.DisposeAsync();
        await _postgres.DisposeAsync();
        _folder.Dispose();
    }

    /// <summary>A user that no other test has.</summary>
    public string NewUser() => "user-" + _users++;

    /// <summary>A TCC branch on the points service.</summary>
    public string Points(string name, string user, long points = 10, string path = "points", string extra = "") =>
        Branch(name, _pointsPort, path, $$"""{"user":"{{user}}","points":{{points}}}""", extra);

    /// <summary>A saga's step on the points service: spent at once, undone by its cancel.</summary>
    public string Step(string name, string user, long points = 10, string extra = "") =>
        $$"""{"name":"{{name}}","try":{{Call(_pointsPort, "points-now/try", user, points)}},"cancel":{{Call(_pointsPort, "points-now/cancel", user, points)}}{{extra}}}""";

    /// <summary>A TCC branch on the orders service.</summary>
    public string Order(string name, string user) => Branch(name, _ordersPort, "orders", $$"""{"user":"{{user}}"}""", "");

    /// <summary>A TCC branch somewhere else.</summary>
    public string Branch(string name, int port, string path, string body, string extra) =>
        $$"""{"name":"{{name}}","try":{{Url("try")}},"confirm":{{Url("confirm")}},"cancel":{{Url("cancel")}}{{extra}}}"""
            .Replace("URL", $"{Network.Url}/{port}/{path}/", StringComparison.Ordinal).Replace("BODY", body, StringComparison.Ordinal);

    public string Message(string id, string user, string timeoutSeconds) =>
        $$"""
        {"id":"{{id}}","begin":true,"timeoutSeconds":{{timeoutSeconds}},"checkBack":{"url":"{{Network.Url}}/{{_ordersPort}}/check"},
         "branches":[{"name":"bonus","confirm":{{Call(_pointsPort, "bonus/confirm", user, 1)}}}]}
        """;

    public async Task<(int Status, JsonObject Body)> SendAsync(string path, string? body = null, string? prefer = null, HttpClient? coordinator = null)
    {
        using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, "/v1/transactions" + path);
        request.Content = body is null ? null : new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        if (prefer is not null)
        {
            request.Headers.Add("Prefer", prefer);
        }

        using HttpResponseMessage response = await (coordinator ?? Coordinator).SendAsync(request);
        return ((int)response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonObject>())!);
    }

    /// <summary>Submits a transaction without waiting for its end.</summary>
    public async Task SubmitAsync(string id, string timeoutSeconds, params string[] branches) =>
        (await SendAsync("", Body(id, timeoutSeconds, branches))).Status.ShouldBe(201);

    public static string Body(string id, string timeoutSeconds, params string[] branches) =>
        $$"""{"id":"{{id}}","timeoutSeconds":{{timeoutSeconds}},"branches":[{{string.Join(',', branches)}}]}""";

    /// <summary>How a transaction ended.</summary>
    public async Task<string> EndAsync(string id, HttpClient? coordinator = null) =>
        (string)(await SendAsync("/" + id, prefer: "wait=30", coordinator: coordinator)).Body["state"]!;

    /// <summary>Available, frozen and spent points of a user, and bonus given.</summary>
    public async Task<(long Available, long Frozen, long Spent, long Given)> BalanceAsync(string user)
    {
        await using var connection = new NpgsqlConnection(PointsDatabase);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("select available, frozen, spent, given from points where id = @id", connection);
        command.Parameters.AddWithValue("id", user);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        (await reader.ReadAsync()).ShouldBeTrue(user);
        return (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
    }

    public async Task<string?> OrderStateAsync(string id)
    {
        await using var connection = new NpgsqlConnection(OrdersDatabase);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("select state from orders where id = @id", connection);
        command.Parameters.AddWithValue("id", id);
        return (string?)await command.ExecuteScalarAsync();
    }

    private static string Url(string op) => $$"""{"url":"URL{{op}}","body":BODY}""";

    private string Call(int port, string path, string user, long points) =>
        $$$"""{"url":"{{{Network.Url}}}/{{{port}}}/{{{path}}}","body":{"user":"{{{user}}}","points":{{{points}}}}}""";

    private async Task<HttpClient> CoordinatorAsync(string name)
    {
        int port = FreePort.Next();
        await StartAsync(name, $"http://127.0.0.1:{port}/health/ready", "coordinator", "--data", Path.Join(_folder.Path, name), "--port", port.ToString(null as IFormatProvider), "--secret", Secret);
        return new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromMinutes(2) };
    }

    private async Task<int> ServiceAsync(string role, string database)
    {
        int port = FreePort.Next();
        string address = $"http://127.0.0.1:{port}";
        await StartAsync(role, address + "/health", role, "--http", address, "--db", database, "--secret", Secret, "--coordinator", Coordinator.BaseAddress!.ToString());
        return port;
    }

    private async Task StartAsync(string name, string health, params string[] arguments)
    {
        var process = new ChildProcess(name, health, arguments) { Program = Program };
        _processes.Add(process);
        await process.StartAsync();
    }
}
