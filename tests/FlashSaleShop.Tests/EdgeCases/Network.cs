using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FlashSaleShop.Tests.EdgeCases;

/// <summary>
/// The network between coordinator and participants, as bad as a test wants it: each call passes here on its way to a real
/// process, and a rule may hold it up, lose it, lose its answer, or answer in the participant's place.
/// </summary>
internal sealed class Network : IAsyncDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1000 }) { Timeout = TimeSpan.FromMinutes(2) };
    private readonly ConcurrentDictionary<string, Func<PassingCall, Task<int>>> _rules = new(StringComparer.Ordinal);
    private readonly WebApplication _app;
    private int _underway;
    private int _most;

    private Network(WebApplication app) => _app = app;

    /// <summary>Every call that arrived, in order.</summary>
    public ConcurrentQueue<PassingCall> Calls { get; } = new();

    /// <summary>Most calls that were here at once.</summary>
    public int Most => Volatile.Read(ref _most);

    public string Url => _app.Urls.First();

    public static async Task<Network> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        WebApplication app = builder.Build();
        var network = new Network(app);
        app.MapPost("/{port:int}/{**path}", network.PassAsync);
        await app.StartAsync();
        return network;
    }

    /// <summary>What becomes of the calls of a transaction: the status that the coordinator sees; 0: it sees none.</summary>
    public void Rule(string transaction, Func<PassingCall, Task<int>> rule) => _rules[transaction] = rule;

    /// <summary>The calls of a transaction so far, as <c>branch/op</c>.</summary>
    public string[] Of(string transaction) => [.. Calls.Where(c => c.Transaction == transaction).Select(c => c.Branch + "/" + c.Op)];

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        int now = Interlocked.Increment(ref _underway);
        InterlockedMax(ref _most, now);
        try
        {
            using var copy = new MemoryStream();
            await context.Request.Body.CopyToAsync(copy);
            var call = new PassingCall(
                _http,
                $"http://127.0.0.1:{context.Request.RouteValues["port"]}/{context.Request.RouteValues["path"]}",
                context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
                copy.ToArray());
            Calls.Enqueue(call);
            int status = _rules.TryGetValue(call.Transaction, out Func<PassingCall, Task<int>>? rule) ? await rule(call) : await call.PassAsync();
            if (status == 0)
            {
                context.Abort();
                return;
            }

            context.Response.StatusCode = status;
            await context.Response.WriteAsync(call.Text);
        }
        finally
        {
            Interlocked.Decrement(ref _underway);
        }
    }

    private static void InterlockedMax(ref int most, int value)
    {
        int seen;
        while (value > (seen = Volatile.Read(ref most)))
        {
            Interlocked.CompareExchange(ref most, value, seen);
        }
    }
}

/// <summary>A call on its way to a participant.</summary>
internal sealed class PassingCall(HttpClient http, string url, IReadOnlyDictionary<string, string> headers, byte[] body)
{
    public string Transaction => headers["Holdfast-Transaction"];

    public string Branch => headers["Holdfast-Branch"];

    public string Op => headers["Holdfast-Op"];

    /// <summary>What the participant said last; what a test says in its place.</summary>
    public string Text { get; set; } = "";

    /// <summary>Takes the call to the participant; its status. May be done more than once.</summary>
    public async Task<int> PassAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
        foreach ((string name, string value) in headers)
        {
            if (!name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase) && name is not ("Host" or "Connection" or "Transfer-Encoding"))
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }

        using HttpResponseMessage response = await http.SendAsync(request);
        Text = await response.Content.ReadAsStringAsync();
        return (int)response.StatusCode;
    }
}
