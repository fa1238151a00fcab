using FlashSaleShop.Services;
using FlashSaleShop.Shop;

// One program, several processes: the shop starts the coordinator and the three services, each with its own database.
return args.FirstOrDefault() switch
{
    "orders" => await ServiceHost.RunAsync(args, OrdersService.MapAsync),
    "points" => await ServiceHost.RunAsync(args, PointsService.MapAsync),
    "coupons" => await ServiceHost.RunAsync(args, CouponsService.MapAsync),
    "coordinator" => await Coordinator.RunAsync(args),
    _ => await ShopCommand.RunAsync(args),
};
