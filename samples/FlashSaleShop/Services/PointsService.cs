using Dapper;
using Holdfast.Participant;

namespace FlashSaleShop.Services;

internal sealed record PointsBody(string User, long Points);

/// <summary>Points of users: available, frozen by a try, spent by a confirm.</summary>
internal static class PointsService
{
    public static async Task MapAsync(WebApplication app)
    {
        await PrepareAsync(app.Configuration);

        // TCC: the points are frozen until the whole purchase is certain.
        app.MapParticipant("/points", p => p
            .Try(async call =>
            {
                var body = call.Read<PointsBody>();
                return await call.ExecuteAsync(
                    "update points set available = available - @n, frozen = frozen + @n where id = @user and available >= @n", ("n", body.Points), ("user", body.User)) == 1
                    ? await NoteAsync(call, "frozen")
                    : BranchResult.Refused("not enough points");
            })
            .Confirm(async call =>
            {
                var body = call.Read<PointsBody>();
                await call.ExecuteAsync("update points set frozen = frozen - @n, spent = spent + @n where id = @user", ("n", body.Points), ("user", body.User));
                return await NoteAsync(call, "spent");
            })
            .Cancel(async call =>
            {
                var body = call.Read<PointsBody>();
                if (app.Configuration["planted"] == "cancel-forgotten")
                {
                    return BranchResult.Done; // the tests see that the comparison of the books notices
                }

                await call.ExecuteAsync("update points set frozen = frozen - @n, available = available + @n where id = @user", ("n", body.Points), ("user", body.User));
                return await NoteAsync(call, "released");
            }));

        // Saga: spent at once, given back when a later step is refused.
        app.MapParticipant("/points-now", p => p
            .Try(async call =>
            {
                var body = call.Read<PointsBody>();
                return await call.ExecuteAsync(
                    "update points set available = available - @n, spent = spent + @n where id = @user and available >= @n", ("n", body.Points), ("user", body.User)) == 1
                    ? await NoteAsync(call, "spent")
                    : BranchResult.Refused("not enough points");
            })
            .Cancel(async call =>
            {
                var body = call.Read<PointsBody>();
                await call.ExecuteAsync("update points set spent = spent - @n, available = available + @n where id = @user", ("n", body.Points), ("user", body.User));
                return await NoteAsync(call, "released");
            }));

        // Message: a bonus that follows from an order that was placed.
        app.MapParticipant("/bonus", p => p.Confirm(async call =>
        {
            var body = call.Read<PointsBody>();
            await call.ExecuteAsync("update points set available = available + @n, given = given + @n where id = @user", ("n", body.Points), ("user", body.User));
            return await NoteAsync(call, "given");
        }));

        app.MapGet("/outcomes", async (IConfiguration configuration) => await OutcomesAsync(configuration));
        app.MapGet("/totals", async (IConfiguration configuration) =>
        {
            await using var connection = await ServiceHost.OpenAsync(configuration);
            (long available, long frozen, long spent, long given) = await connection.QuerySingleAsync<(long, long, long, long)>(
                "select cast(sum(available) as bigint), cast(sum(frozen) as bigint), cast(sum(spent) as bigint), cast(sum(given) as bigint) from points");
            return new Dictionary<string, long>(StringComparer.Ordinal) { ["available"] = available, ["frozen"] = frozen, ["spent"] = spent, ["given"] = given };
        });
    }

    internal static async Task<Dictionary<string, string>> OutcomesAsync(IConfiguration configuration)
    {
        await using var connection = await ServiceHost.OpenAsync(configuration);
        return (await connection.QueryAsync<(string Id, string State)>("select id, state from outcomes")).ToDictionary(o => o.Id, o => o.State, StringComparer.Ordinal);
    }

    /// <summary>What became of the purchase here; in the same local transaction.</summary>
    internal static async Task<BranchResult> NoteAsync(BranchContext call, string state)
    {
        await call.ExecuteAsync("insert into outcomes (id, state) values (@id, @state) on conflict (id) do update set state = @state", ("id", call.Call.Transaction), ("state", state));
        return BranchResult.Done;
    }

    private static async Task PrepareAsync(IConfiguration configuration)
    {
        await using var connection = await ServiceHost.OpenAsync(configuration);
        await connection.ExecuteAsync("create table if not exists points (id varchar(64) primary key, available bigint not null, frozen bigint not null, spent bigint not null, given bigint not null)");
        await connection.ExecuteAsync("create table if not exists outcomes (id varchar(128) primary key, state varchar(16) not null)");
        for (int user = 0; user < ShopFacts.Users; user++)
        {
            await connection.ExecuteAsync("insert into points values (@id, @points, 0, 0, 0) on conflict (id) do nothing", new { id = ShopFacts.User(user), points = ShopFacts.PointsOfUser });
        }
    }
}
