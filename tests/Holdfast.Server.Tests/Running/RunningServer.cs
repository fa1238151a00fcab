using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine;
using Holdfast.Journal;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Tests;

/// <summary>A real server on free loopback ports, over a journal in memory unless another is given.</summary>
public sealed class RunningServer : IAsyncDisposable
{
    private RunningServer(WebApplication app)
    {
        App = app;
        Http = new HttpClient { BaseAddress = HoldfastServer.HttpAddress(app), Timeout = TimeSpan.FromSeconds(30) };
    }

    public WebApplication App { get; }

    public HttpClient Http { get; }

    public SpaceHost Spaces => App.Services.GetRequiredService<SpaceHost>();

    public IPEndPoint Endpoint => new(IPAddress.Loopback, Http.BaseAddress!.Port);

    public static ServerSettings Settings => new()
    {
        Http = new IPEndPoint(IPAddress.Loopback, 0),
        Resp = null,
        Journal = JournalKind.Memory,
    };

    public static async Task<RunningServer> StartAsync(
        ServerSettings? settings = null, IJournalStore? store = null, Action<WebApplicationBuilder>? change = null, bool ready = true)
    {
        WebApplication app = HoldfastServer.Create(settings ?? Settings, builder =>
        {
            if (store is not null)
            {
                builder.Services.Configure<HoldfastOptions>(o => o.JournalStore = () => store);
            }

            change?.Invoke(builder);
        });
        await app.StartAsync();
        var server = new RunningServer(app);
        if (ready)
        {
            await server.BecomesReadyAsync();
        }

        return server;
    }

    public async Task BecomesReadyAsync()
    {
        for (int i = 0; i < 500; i++)
        {
            if ((await Http.GetAsync("/health/ready")).IsSuccessStatusCode)
            {
                return;
            }

            await Task.Delay(20);
        }

        throw new TimeoutException("The server did not become ready.");
    }

    /// <summary>A resource with some units.</summary>
    public async Task StockAsync(string resource, long units, string policy = "{}", string root = "/v1")
    {
        (await PutAsync($"{root}/resources/{resource}", policy)).Status.ShouldBe(201);
        if (units != 0)
        {
            (await PostAsync($"{root}/resources/{resource}/adjustments", $$"""{"id":"initial","delta":{{units}},"reason":"supply"}""")).Status.ShouldBe(200);
        }
    }

    public Task<Reply> TryAsync(string id, string resource, long quantity = 1, string? more = null) =>
        PostAsync("/v1/holds", $$"""{"id":"{{id}}",{{more}}"lines":[{"resource":"{{resource}}","quantity":{{quantity}}}]}""");

    public Task<Reply> GetAsync(string path, string? key = null) => SendAsync(HttpMethod.Get, path, null, key);

    public Task<Reply> PutAsync(string path, string? body = null, string? key = null) => SendAsync(HttpMethod.Put, path, body, key);

    public Task<Reply> PostAsync(string path, string? body = null, string? key = null, string type = "application/json") =>
        SendAsync(HttpMethod.Post, path, body, key, type);

    public async Task<Reply> SendAsync(HttpMethod method, string path, string? body, string? key = null, string type = "application/json")
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } };
            request.Headers.ExpectContinue = body.Length > 1 << 20; // else one that is refused may break off before its answer is read
        }

        if (key is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        using HttpResponseMessage response = await Http.SendAsync(request);
        string text = await response.Content.ReadAsStringAsync();
        return new Reply(
            (int)response.StatusCode,
            text,
            response.Content.Headers.ContentType?.MediaType,
            response.Headers.Location?.OriginalString,
            response.Headers.RetryAfter?.Delta);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
    }
}

/// <summary>An answer.</summary>
public sealed record Reply(int Status, string Text, string? Type, string? Location, TimeSpan? RetryAfter)
{
    public JsonObject Json => JsonNode.Parse(Text)!.AsObject();

    public string? Code => Json["code"]?.GetValue<string>();

    public string? State => Json["state"]?.GetValue<string>();

    public long Number(string name) => Json[name]!.GetValue<long>();

    public IReadOnlyList<JsonObject> Lines =>
        [.. Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!.AsObject())];

    /// <summary>A problem document of that status and code, complete.</summary>
    public Reply ShouldBeProblem(int status, string code)
    {
        Status.ShouldBe(status, Text);
        Type.ShouldBe("application/problem+json");
        Code.ShouldBe(code, Text);
        Json["status"]!.GetValue<int>().ShouldBe(status);
        Json["type"]!.GetValue<string>().ShouldEndWith(code);
        Json["title"]!.GetValue<string>().ShouldNotBeEmpty();
        Json["detail"]!.GetValue<string>().ShouldNotBeEmpty();
        if (status is 429 or 503)
        {
            RetryAfter.ShouldNotBeNull();
        }

        return this;
    }
}
