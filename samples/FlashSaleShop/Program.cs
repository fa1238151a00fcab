using FlashSaleShop.Services;
using FlashSaleShop.Shop;

// One program, several processes: the shop starts the coordinator and the three services, each with its own database.
return args.FirstOrDefault() switch
{
    "orders" => await ServiceHost.RunAsync(args, OrdersService.Map),
    "points" => await ServiceHost.RunAsync(args, PointsService.Map),
    "coupons" => await ServiceHost.RunAsync(args, CouponsService.Map),
    "coordinator" => await Coordinator.RunAsync(args),
    _ => await ShopCommand.RunAsync(args),
};
