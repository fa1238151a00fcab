using System.Globalization;

namespace FlashSaleShop;

/// <summary>What is in the shop at its opening.</summary>
internal static class ShopFacts
{
    public const int Users = 50;
    public const long PointsOfUser = 400;
    public const long Price = 10;
    public const long Bonus = 1;
    public const int Coupons = 400;

    public static string User(int number) => "user-" + number.ToString(CultureInfo.InvariantCulture);

    public static string Coupon(int number) => "coupon-" + number.ToString(CultureInfo.InvariantCulture);
}
