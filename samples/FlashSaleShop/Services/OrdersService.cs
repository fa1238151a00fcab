using System.Data.Common;
using Dapper;
using Holdfast.Client;
using Holdfast.Participant;

namespace FlashSaleShop.Services;

internal sealed record OrderBody(string User);

internal sealed record PlaceBody(string Id, string User, string BonusUrl);

/// <summary>Orders: pending, then placed or cancelled. It is also the sender of the message variant.</summary>
internal static class OrdersService
{
    public static async Task MapAsync(WebApplication app)
    {
        await PrepareAsync(app.Configuration);
        app.MapParticipant("/orders", p => p
            .Try(async call =>
            {
                await call.ExecuteAsync("insert into orders values (@id, @user, 'pending')", ("id", call.Call.Transaction), ("user", call.Read<OrderBody>().User));
                return BranchResult.Done;
            })
            .Confirm(call => MoveAsync(call, "placed"))
            .Cancel(call => MoveAsync(call, "cancelled")));
        app.MapParticipant("/orders-now", p => p
            .Try(async call =>
            {
                await call.ExecuteAsync("insert into orders values (@id, @user, 'placed')", ("id", call.Call.Transaction), ("user", call.Read<OrderBody>().User));
                return BranchResult.Done;
            })
            .Cancel(call => MoveAsync(call, "cancelled")));

        // Message: the order is this service's own local work; the bonus elsewhere follows from it.
        string self = app.Configuration["http"]!;
        IHoldfastClient coordinator = HoldfastClient.Connect(new HoldfastClientOptions { HttpAddress = new Uri(app.Configuration["coordinator"]!) });
        var barrier = new BranchBarrier();
        app.MapPost("/place", async (PlaceBody body, IConfiguration configuration) =>
        {
            (await coordinator.Transactions.PrepareAsync(TransactionPlan.Message(body.Id)
                .Deliver("bonus", body.BonusUrl, new PointsBody(body.User, ShopFacts.Bonus))
                .CheckBack(self + "/check")
                .Timeout(TimeSpan.FromSeconds(5)))).EnsureSucceeded();

            await using DbConnection connection = ServiceHost.Connect(configuration["db"]!);
            BranchResult placed = await barrier.LocalAsync(connection, body.Id, async (transaction, _) =>
            {
                await transaction.Connection!.ExecuteAsync("insert into orders values (@Id, @User, 'placed')", body, transaction);
                return BranchResult.Done;
            });
            if (placed.Outcome != BranchOutcome.Done)
            {
                return Results.Conflict(placed.Reason);
            }

            if (Random.Shared.Next(4) != 0)
            {
                // Now and then this is forgotten, as if the process had died here: the check-back settles it.
                await coordinator.Transactions.CommitAsync(body.Id);
            }

            return Results.Ok();
        });
        app.MapCheckBack("/check");
        app.MapGet("/outcomes", async (IConfiguration configuration) =>
        {
            await using var connection = await ServiceHost.OpenAsync(configuration);
            return (await connection.QueryAsync<(string Id, string State)>("select id, state from orders")).ToDictionary(o => o.Id, o => o.State, StringComparer.Ordinal);
        });
    }

    private static async Task<BranchResult> MoveAsync(BranchContext call, string to)
    {
        await call.ExecuteAsync("update orders set state = @to where id = @id", ("id", call.Call.Transaction), ("to", to));
        return BranchResult.Done;
    }

    private static async Task PrepareAsync(IConfiguration configuration)
    {
        await using var connection = await ServiceHost.OpenAsync(configuration);
        await connection.ExecuteAsync("create table if not exists orders (id varchar(128) primary key, buyer varchar(64) not null, state varchar(16) not null)");
    }
}
