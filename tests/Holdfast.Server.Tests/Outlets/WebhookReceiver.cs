using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;
using Holdfast.Engine.Payments.StandardWebhooks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Tests.Outlets;

/// <summary>One of the shop's own services: verifies each webhook, answers as it is told.</summary>
internal sealed class WebhookReceiver : IAsyncDisposable
{
    public const string Secret = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";
    private readonly WebApplication _app;

    private WebhookReceiver(WebApplication app) => _app = app;

    /// <summary>What was answered with a 2xx, in order: id and type.</summary>
    public ConcurrentQueue<(string Id, string Type, JsonObject Body)> Taken { get; } = new();

    public int Calls { get; private set; }

    public Func<int, int> Answer { get; set; } = static _ => 204;

    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/hook";

    public static async Task<WebhookReceiver> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        WebApplication app = builder.Build();
        var receiver = new WebhookReceiver(app);
        app.Run(receiver.TakeAsync);
        await app.StartAsync();
        return receiver;
    }

    public string Types => string.Join(' ', Taken.Select(t => t.Type));

    public async Task UntilAsync(Func<bool> holds)
    {
        for (int i = 0; i < 400 && !holds(); i++)
        {
            await Task.Delay(25);
        }

        holds().ShouldBeTrue($"taken: {Types}");
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        int status;
        lock (Taken)
        {
            status = Answer(++Calls);
        }

        string? refusal = StandardWebhookSignature.Refusal(
            name => context.Request.Headers[name], body.ToArray(), [SigningKey.Parse(Secret)], TimeSpan.FromMinutes(5), DateTimeOffset.UtcNow);
        if (refusal is not null)
        {
            status = 401;
        }
        else if (status is >= 200 and < 300)
        {
            JsonObject json = JsonNode.Parse(Encoding.UTF8.GetString(body.ToArray()))!.AsObject();
            Taken.Enqueue((context.Request.Headers["webhook-id"]!, (string)json["type"]!, json));
        }

        context.Response.StatusCode = status;
    }
}
