using Holdfast.Participant;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Holdfast.Testing.Tests.Attacks;

/// <summary>What is wrong with a participant.</summary>
public enum Fault
{
    None,
    ConfirmDoesNothing,
    TryCountsTwice,
    TriesRace,
    CancelGivesWhatWasNeverTaken,
    LateTryIsTaken,
    ConfirmCountsTwice,
    ConfirmsRace,
    CancelGivesTwice,
    CancelAfterConfirmGives,
    TryAndCancelRace,
    MarkerLostWithTheAnswer,
    RepeatSucceedsTooEarly,
    OneTransactionAShopper,
    RefusalIs500,
    StockBeforeDuplicate,
    AnyOpIsTaken,
    SignatureIsIgnored,
    AnothersSignatureIsTaken,
    OnlyTriesAreSigned,
    OpIsNotCompared,
    BranchesShareAKey,
    RefusedTryLeavesItsMarker,
    RefusalIs200,
    ConfirmLooksAtTheStock,
    ConfirmNeedsNoTry,
    ConfirmAfterCancelIsTaken,
}

/// <summary>A participant over a balance in memory that keeps every rule but, perhaps, one.</summary>
internal sealed class PlantedParticipant : IAsyncDisposable
{
    public const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    private readonly WebApplication _app;
    private readonly Fault _fault;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Dictionary<string, Rows> _rows = new(StringComparer.Ordinal);
    private readonly WebhookSignature _signature = new([Secret]);
    private int _available;
    private int _spent;

    private PlantedParticipant(WebApplication app, Fault fault, int available) => (_app, _fault, _available) = (app, fault, available);

    public string Url => _app.Urls.First();

    public int Available => _available;

    public static async Task<PlantedParticipant> StartAsync(Fault fault, int available = 400)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        WebApplication app = builder.Build();
        var participant = new PlantedParticipant(app, fault, available);
        app.MapPost("/{op}", participant.HandleAsync);
        app.MapGet("/balance", () => new { spent = participant._spent, balance = participant._available });
        app.MapGet("/page", () => Results.Text("<html>balance: 600</html>", "text/html"));
        app.MapGet("/silence", context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        await app.StartAsync();
        return participant;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _gate.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var copy = new MemoryStream();
        await context.Request.Body.CopyToAsync(copy);
        byte[] body = copy.ToArray();
        string? Header(string name) => context.Request.Headers[name].FirstOrDefault();
        string op = (string)context.Request.RouteValues["op"]!;
        bool signed = _fault != Fault.SignatureIsIgnored && (_fault != Fault.OnlyTriesAreSigned || op == "try");
        if (signed && _signature.Problem(Header("webhook-id"), Header("webhook-timestamp"), Header("webhook-signature"), body) is not null)
        {
            context.Response.StatusCode = 401;
            return;
        }

        if (_fault == Fault.OpIsNotCompared ? Header("Holdfast-Op") is not ("try" or "confirm" or "cancel") : _fault != Fault.AnyOpIsTaken && (!string.Equals(Header("Holdfast-Op"), op, StringComparison.Ordinal) || Header("Holdfast-Transaction") is null))
        {
            context.Response.StatusCode = 400;
            return;
        }

        string branch = Header("Holdfast-Branch") ?? "";
        if (signed && _fault != Fault.AnothersSignatureIsTaken && Header("Holdfast-Transaction") is { } named && Header("webhook-id") != $"default/{named}/{branch}/{Header("Holdfast-Op")}")
        {
            context.Response.StatusCode = 401;
            return;
        }

        string transaction = Header("Holdfast-Transaction") ?? Guid.NewGuid().ToString();
        string key = _fault switch
        {
            Fault.OneTransactionAShopper => "ann",
            Fault.BranchesShareAKey => transaction,
            _ => transaction + "/" + branch,
        };
        context.Response.StatusCode = op switch
        {
            "try" => await TryAsync(key, context.RequestAborted),
            "confirm" => await ConfirmAsync(key),
            _ => await CancelAsync(key),
        };
    }

    private async Task<int> TryAsync(string key, CancellationToken hungUp)
    {
        if (_fault == Fault.TriesRace)
        {
            return await Unlocked(key, rows => rows.Tried, rows => rows.Tried = Take());
        }

        if (_fault == Fault.TryAndCancelRace)
        {
            return Find(key).Suspended ? 409 : await Unlocked(key, rows => rows.Tried, rows => rows.Tried = Take());
        }

        if (_fault == Fault.RepeatSucceedsTooEarly && Find(key).Running)
        {
            return 200;
        }

        await _gate.WaitAsync(CancellationToken.None);
        try
        {
            Rows rows = Find(key);
            if (_fault == Fault.StockBeforeDuplicate && _available < 10)
            {
                return 409;
            }

            if (rows.Tried && _fault != Fault.TryCountsTwice)
            {
                return 200;
            }

            if (rows.Suspended && _fault != Fault.LateTryIsTaken)
            {
                return 409;
            }

            if (_available < 10)
            {
                rows.Tried = _fault == Fault.RefusedTryLeavesItsMarker;
                return _fault switch
                {
                    Fault.RefusalIs500 => 500,
                    Fault.RefusalIs200 => 200,
                    _ => 409,
                };
            }

            if (_fault is Fault.RepeatSucceedsTooEarly or Fault.MarkerLostWithTheAnswer)
            {
                // Some work in between.
                rows.Running = true;
                _gate.Release();
                await Task.Delay(20, CancellationToken.None);
                await _gate.WaitAsync(CancellationToken.None);
                rows.Running = false;
            }

            rows.Tried = Take();
            if (_fault == Fault.MarkerLostWithTheAnswer && hungUp.IsCancellationRequested)
            {
                rows.Tried = false; // the business is done, its marker was in another transaction
            }

            return 200;
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<int> ConfirmAsync(string key)
    {
        if (_fault == Fault.ConfirmsRace)
        {
            return await Unlocked(key, rows => rows.Confirmed, rows =>
            {
                rows.Confirmed = true;
                _spent += 10;
            });
        }

        await _gate.WaitAsync();
        try
        {
            Rows rows = Find(key);
            if (rows.Confirmed && _fault != Fault.ConfirmCountsTwice)
            {
                return 200;
            }

            if ((!rows.Tried && _fault != Fault.ConfirmNeedsNoTry) || (rows.Cancelled && _fault != Fault.ConfirmAfterCancelIsTaken))
            {
                return 409;
            }

            if (_fault == Fault.ConfirmLooksAtTheStock && _available < 10)
            {
                return 409;
            }

            rows.Confirmed = true;
            _spent += _fault == Fault.ConfirmDoesNothing ? 0 : 10;
            return 200;
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<int> CancelAsync(string key)
    {
        await _gate.WaitAsync();
        try
        {
            Rows rows = Find(key);
            if (rows.Suspended && _fault != Fault.CancelGivesWhatWasNeverTaken)
            {
                return 200; // done before, as an empty rollback
            }

            if (!rows.Tried)
            {
                rows.Suspended = true;
                _available += _fault == Fault.CancelGivesWhatWasNeverTaken ? 10 : 0;
                return 200;
            }

            if (rows.Confirmed)
            {
                _available += _fault == Fault.CancelAfterConfirmGives ? 10 : 0;
                return 409;
            }

            if (!rows.Cancelled || _fault == Fault.CancelGivesTwice)
            {
                rows.Cancelled = true;
                _available += 10;
            }

            return 200;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Looks, waits, and acts on what it saw: nothing holds it together.</summary>
    private async Task<int> Unlocked(string key, Func<Rows, bool> done, Action<Rows> work)
    {
        bool known = done(Find(key));
        await Task.Delay(20); // wide enough for an attack on a machine that stands still now and then
        if (!known)
        {
            work(Find(key));
        }

        return 200;
    }

    private bool Take()
    {
        _available -= 10;
        return true;
    }

    private Rows Find(string key)
    {
        lock (_rows)
        {
            return _rows.TryGetValue(key, out Rows? rows) ? rows : _rows[key] = new Rows();
        }
    }

    private sealed class Rows
    {
        public bool Tried { get; set; }

        public bool Confirmed { get; set; }

        public bool Cancelled { get; set; }

        public bool Suspended { get; set; }

        public bool Running { get; set; }
    }
}
