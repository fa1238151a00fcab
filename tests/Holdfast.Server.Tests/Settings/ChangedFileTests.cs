using Microsoft.Extensions.Logging;

namespace Holdfast.Server.Tests;

/// <summary>The settings' file changes while the server runs.</summary>
public sealed class ChangedFileTests : IAsyncLifetime
{
    private const int Used = 150;
    private const int NotUsed = 151;
    private const string Old = """{"channels":{"stripe":{"secrets":["whsec_old"]}}}""";
    private const string New = """{"channels":{"stripe":{"secrets":["whsec_new"]}}}""";

    private readonly TestKit.TempFolder _folder = new();
    private readonly LogWatch _log = new();
    private RunningServer _server = null!;

    private string Settings => _folder.File(ServerSettings.FileName);

    /// <summary>Mounted as Kubernetes mounts a ConfigMap: the file is a link into a folder that is a link.</summary>
    public async ValueTask InitializeAsync()
    {
        Mount("..1", Old);
        File.CreateSymbolicLink(Settings, Path.Join("..data", ServerSettings.FileName));
        ServerSettings settings = ServerSettings.Load([new("http", "127.0.0.1:0"), new("resp", "off"), new("journal", "memory")], _folder.Path);
        _server = await RunningServer.StartAsync(settings, change: builder => builder.Logging.AddProvider(_log));
        (await StatusAsync("whsec_old")).ShouldBe(200);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_mounted_file_that_is_replaced_by_its_link_is_used()
    {
        Mount("..2", New);

        await _log.NextAsync(Used);

        (await StatusAsync("whsec_new")).ShouldBe(200);
        (await StatusAsync("whsec_old")).ShouldBe(401);
    }

    [Theory]
    [InlineData("""{"channels":{"simulator":{"notifyUrl":"not a url"}}}""")]
    [InlineData("""{"channels":{"simulator":{"type":{}}}}""")]
    [InlineData("""{"channels":[]}""")]
    [InlineData("""{"channels":null}""")]
    [InlineData("""{"channels":""")]
    [InlineData(null)]
    public async Task A_file_that_can_not_be_used_or_is_gone_changes_nothing(string? text)
    {
        if (text is null)
        {
            File.Delete(Settings);
        }
        else
        {
            Put(text);
        }

        (await _log.NextAsync(Used, NotUsed)).ShouldBe(NotUsed);
        (await StatusAsync("whsec_old")).ShouldBe(200);

        Put(New);
        await _log.NextAsync(Used);
        (await StatusAsync("whsec_new")).ShouldBe(200);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"channels":{}}""")]
    public async Task A_file_without_channels_takes_them_away(string text)
    {
        Put(text);

        await _log.NextAsync(Used);

        (await StatusAsync("whsec_old")).ShouldBe(404);
    }

    /// <summary>At once: nobody finds half a file, or none.</summary>
    private void Put(string text)
    {
        File.WriteAllText(_folder.File("new"), text);
        File.Move(_folder.File("new"), Settings, overwrite: true);
    }

    private void Mount(string folder, string text)
    {
        Directory.CreateDirectory(_folder.File(folder));
        string file = Path.Join(_folder.Path, folder, ServerSettings.FileName);
        File.WriteAllText(file, text);
        File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch);
        File.Delete(_folder.File("..data"));
        Directory.CreateSymbolicLink(_folder.File("..data"), folder);
    }

    private async Task<int> StatusAsync(string secret)
    {
        byte[] body = "{\"id\":\"e\",\"type\":\"x\"}"u8.ToArray();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/callbacks/stripe") { Content = new ByteArrayContent(body) };
        request.Headers.TryAddWithoutValidation("Stripe-Signature", Engine.Payments.Stripe.StripeSignature.Sign(secret, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), body));
        return (int)(await _server.Http.SendAsync(request)).StatusCode;
    }
}
