using Dapper;
using Holdfast.Participant;

namespace FlashSaleShop.Services;

internal sealed record CouponBody(string Coupon);

/// <summary>Coupons that can be used once.</summary>
internal static class CouponsService
{
    public static async Task MapAsync(WebApplication app)
    {
        await PrepareAsync(app.Configuration);
        app.MapParticipant("/coupons", p => p
            .Try(async call => await MoveAsync(call, "free", "reserved") ? await PointsService.NoteAsync(call, "reserved") : BranchResult.Refused("the coupon is used"))
            .Confirm(async call => await MoveAsync(call, "reserved", "used") ? await PointsService.NoteAsync(call, "used") : BranchResult.Refused("the coupon is not reserved"))
            .Cancel(async call => await MoveAsync(call, "reserved", "free") ? await PointsService.NoteAsync(call, "released") : BranchResult.Refused("the coupon is not reserved")));
        app.MapGet("/outcomes", async (IConfiguration configuration) => await PointsService.OutcomesAsync(configuration));
        app.MapGet("/totals", async (IConfiguration configuration) =>
        {
            await using var connection = await ServiceHost.OpenAsync(configuration);
            return (await connection.QueryAsync<(string State, long Count)>("select state, count(*) from coupons group by state")).ToDictionary(c => c.State, c => c.Count, StringComparer.Ordinal);
        });
    }

    private static async Task<bool> MoveAsync(BranchContext call, string from, string to) => await call.ExecuteAsync(
        "update coupons set state = @to where id = @id and state = @from", ("id", call.Read<CouponBody>().Coupon), ("from", from), ("to", to)) == 1;

    private static async Task PrepareAsync(IConfiguration configuration)
    {
        await using var connection = await ServiceHost.OpenAsync(configuration);
        await connection.ExecuteAsync("create table if not exists coupons (id varchar(64) primary key, state varchar(16) not null)");
        await connection.ExecuteAsync("create table if not exists outcomes (id varchar(128) primary key, state varchar(16) not null)");
        for (int coupon = 0; coupon < ShopFacts.Coupons; coupon++)
        {
            await connection.ExecuteAsync("insert into coupons values (@id, 'free') on conflict (id) do nothing", new { id = ShopFacts.Coupon(coupon) });
        }
    }
}
