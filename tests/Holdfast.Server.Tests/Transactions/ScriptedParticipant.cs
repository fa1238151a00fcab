using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server.Tests.Transactions;

/// <summary>A participant that answers by a script and remembers what it was asked.</summary>
internal sealed class ScriptedParticipant : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ScriptedParticipant(WebApplication app) => _app = app;

    /// <summary>What to answer: status and body. Default 200.</summary>
    public Func<AskedCall, Task<(int Status, string Body)>> Answer { get; set; } = static _ => Task.FromResult((200, ""));

    public ConcurrentQueue<AskedCall> Asked { get; } = new();

    public string Url => _app.Urls.First();

    public static async Task<ScriptedParticipant> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        WebApplication app = builder.Build();
        var participant = new ScriptedParticipant(app);
        app.MapPost("/{**path}", async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            var asked = new AskedCall(context.Request.Path.Value!, context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray());
            participant.Asked.Enqueue(asked);
            (context.Response.StatusCode, string text) = await participant.Answer(asked);
            await context.Response.WriteAsync(text);
        });
        await app.StartAsync();
        return participant;
    }

    public string Branch(string name, string extra = "") =>
        $$"""{"name":"{{name}}","try":{"url":"{{Url}}/{{name}}/try"},"confirm":{"url":"{{Url}}/{{name}}/confirm"},"cancel":{"url":"{{Url}}/{{name}}/cancel"}{{extra}}}""";

    public string Paths => string.Join(' ', Asked.Select(a => a.Path));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}

internal sealed record AskedCall(string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body);
