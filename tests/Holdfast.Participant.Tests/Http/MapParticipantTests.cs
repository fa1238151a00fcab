using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Holdfast.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Holdfast.Participant.Tests;

public sealed class MapParticipantTests : IAsyncLifetime
{
    private const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    private const string Older = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";
    private readonly TempFolder _folder = new("holdfast-map-");
    private WebApplication _app = null!;
    private HttpClient _http = null!;
    private int _ran;
    private int _confirmed;

    public async ValueTask InitializeAsync()
    {
        _app = Build(o =>
        {
            o.Secrets.Add(Secret);
            o.Secrets.Add(Older);
        });
        _app.MapParticipant("/points", p => p
            .Try(call =>
            {
                Interlocked.Increment(ref _ran);
                return Task.FromResult(call.Read<Order>().Points switch
                {
                    > 100 => BranchResult.Refused("not enough points"),
                    13 => throw new InvalidOperationException("the business broke"),
                    7 => BranchResult.NotYet,
                    _ => BranchResult.Done,
                });
            })
            .Confirm(_ =>
            {
                Interlocked.Increment(ref _confirmed);
                return Task.FromResult(BranchResult.Done);
            })
            .Cancel(_ => Task.FromResult(BranchResult.Done)));
        _app.MapCheckBack("/check");
        await _app.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(10, 200)]
    [InlineData(101, 409)]
    [InlineData(7, 425)]
    [InlineData(13, 500)]
    public async Task Results_are_statuses(int points, int status)
    {
        (await SendAsync("try", "t", $$"""{"points":{{points}}}""")).Status.ShouldBe(status);
    }

    [Fact]
    public async Task Actions_run_once_through_the_barrier()
    {
        (await SendAsync("try", "t", """{"points":1}""")).Status.ShouldBe(200);
        (await SendAsync("try", "t", """{"points":1}""")).Status.ShouldBe(200);
        _ran.ShouldBe(1);
        (await SendAsync("cancel", "u", """{"points":1}""")).Status.ShouldBe(200);
        (await SendAsync("try", "u", """{"points":1}""")).Status.ShouldBe(409);
        (await SendAsync("confirm", "never-tried", "{}")).Status.ShouldBe(409);
        _ran.ShouldBe(1);
    }

    [Fact]
    public async Task A_signature_of_any_of_the_secrets_passes_and_nothing_else()
    {
        (await SendAsync("try", "a", """{"points":1}""", Older)).Status.ShouldBe(200);
        (await SendAsync("try", "b", """{"points":1}""", "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=")).Status.ShouldBe(401);
        (await SendAsync("try", "b", """{"points":1}""", sign: false)).Status.ShouldBe(401);
        (await SendAsync("try", "b", """{"points":1}""", alter: " ")).Status.ShouldBe(401);
        (await SendAsync("try", "b", """{"points":1}""", age: 301)).Status.ShouldBe(401);
        (await SendAsync("try", "b", """{"points":1}""", age: 290)).Status.ShouldBe(200);
        _ran.ShouldBe(2);
    }

    [Fact]
    public async Task Calls_that_are_not_a_coordinators_are_400_and_bodies_are_bounded()
    {
        (await SendAsync("try", "t", """{"points":1}""", op: "confirm")).Status.ShouldBe(400);
        (await SendAsync("try", "t", """{"points":1}""", op: "explode")).Status.ShouldBe(400);
        (await SendAsync("try", "t", """{"points":1}""", op: "0")).Status.ShouldBe(400);
        (await SendAsync("try", "t", "not json")).Status.ShouldBe(400);
        (await SendAsync("try", "t", new string(' ', (64 * 1024) + 1))).Status.ShouldBe(413);
        _ran.ShouldBe(1, "only the one that could not be read got as far as the action");
    }

    [Theory]
    [InlineData("default/other/points/try")]
    [InlineData("default/signed/coupons/try")]
    [InlineData("default/signed/points/cancel")]
    [InlineData("elsewhere/signed/points/try")]
    public async Task A_call_that_was_signed_as_another_is_401(string signedAs)
    {
        (await SendAsync("try", "signed", """{"points":1}""", signedAs: signedAs)).Status.ShouldBe(401);
        (await SendAsync("try", "signed", """{"points":1}""")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task A_call_that_is_sent_again_with_another_watermark_shuts_nothing_out()
    {
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), days = 86_400_000;
        (await SendAsync("try", "open", """{"points":1}""", begun: now - (3 * days))).Status.ShouldBe(200);
        (await SendAsync("try", "seen", """{"points":1}""", begun: now, watermark: 9_000_000_000_000_000_000)).Status.ShouldBe(200);
        (await SendAsync("confirm", "open", "{}", begun: now - (3 * days))).Status.ShouldBe(200);
        _confirmed.ShouldBe(1);
        (await SendAsync("try", "next", """{"points":1}""", begun: now)).Status.ShouldBe(200);
        _ran.ShouldBe(3);
    }

    [Theory]
    [InlineData("watermark\n", 409)]
    [InlineData("", 200)]
    [InlineData(null, 200)]
    public async Task A_watermark_is_believed_when_it_is_signed(string? signedWith, int lateTry)
    {
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), day = 86_400_000;
        (await SendAsync("try", "new", """{"points":1}""", begun: now, watermark: now, signWatermark: signedWith)).Status.ShouldBe(200);
        (await SendAsync("try", "late", """{"points":1}""", begun: now - day)).Status.ShouldBe(lateTry);
    }

    [Fact]
    public async Task A_check_back_of_a_message_that_was_never_sent_is_refused()
    {
        (await SendAsync("check", "m", "", path: "/check", branch: "-")).Status.ShouldBe(409);
    }

    [Fact]
    public void Without_a_secret_the_service_does_not_start_unless_that_is_said()
    {
        using WebApplication none = Build(_ => { });
        Should.Throw<InvalidOperationException>(() => none.MapParticipant("/p", p => p.Confirm(_ => Task.FromResult(BranchResult.Done)))).Message.ShouldContain("signing-secret");
        using WebApplication said = Build(o => o.AllowUnsigned = true);
        said.MapParticipant("/p", p => p.Confirm(_ => Task.FromResult(BranchResult.Done)));
    }

    private WebApplication Build(Action<ParticipantOptions> configure)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddHoldfastParticipant(o =>
        {
            o.Connection = _ => new SqliteConnection($"Data Source={Path.Join(_folder.Path, "p.db")};Pooling=False");
            configure(o);
        });
        return builder.Build();
    }

    private async Task<(int Status, string Text)> SendAsync(
        string action, string transaction, string body, string secret = Secret, bool sign = true, string? op = null, string? alter = null, int age = 0, string? path = null, string branch = "points", string? signedAs = null, long? begun = null, long? watermark = null, string? signWatermark = null)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(body);
        using var request = new HttpRequestMessage(HttpMethod.Post, path ?? "/points/" + action) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body + alter)) };
        request.Headers.Add("Holdfast-Transaction", transaction);
        request.Headers.Add("Holdfast-Branch", branch);
        request.Headers.Add("Holdfast-Op", op ?? action);
        AddNumber("Holdfast-Begun", begun);
        AddNumber("Holdfast-Watermark", watermark);
        if (sign)
        {
            string timestamp = (DateTimeOffset.UtcNow.ToUnixTimeSeconds() - age).ToString(CultureInfo.InvariantCulture);
            string id = signedAs ?? $"default/{transaction}/{branch}/{op ?? action}";
            request.Headers.Add("webhook-id", id);
            request.Headers.Add("webhook-timestamp", timestamp);
            request.Headers.Add("webhook-signature", "v1a,other v1," + Sign(id, bytes));
            if (signWatermark is not null)
            {
                request.Headers.Add("Holdfast-Watermark-Signature", "v1," + Sign(signWatermark + id, Encoding.ASCII.GetBytes(watermark!.Value.ToString(CultureInfo.InvariantCulture))));
            }

            string Sign(string name, byte[] what)
            {
                byte[] signed = [.. Encoding.UTF8.GetBytes($"{name}.{timestamp}."), .. what];
                return Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(secret[6..]), signed));
            }
        }

        using HttpResponseMessage response = await _http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());

        void AddNumber(string name, long? number)
        {
            if (number is { } value)
            {
                request.Headers.Add(name, value.ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    private sealed record Order(long Points);
}
