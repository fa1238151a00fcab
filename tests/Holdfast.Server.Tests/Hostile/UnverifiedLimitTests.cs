using System.Net;

namespace Holdfast.Server.Tests;

public class UnverifiedLimitTests
{
    [Fact]
    public void Among_forgeries_from_a_providers_address_a_genuine_callback_is_found()
    {
        var limit = new UnverifiedLimit(new StoppedClock());
        IPAddress address = IPAddress.Loopback;
        for (int i = 0; i < 100; i++)
        {
            limit.Allows(address).ShouldBeTrue();
            limit.Refused(address);
        }

        int looked = 0;
        for (int i = 0; i < 1_000; i++)
        {
            if (limit.Allows(address))
            {
                looked++;
                limit.Refused(address);
            }
        }

        looked.ShouldBe(100, "one in ten costs little, and lets a provider that calls again be heard");
        limit.Genuine(address);
        Enumerable.Range(0, 1_000).ShouldAllBe(_ => limit.Allows(address));
    }

    [Fact]
    public void A_long_storm_is_forgotten_as_soon_as_a_short_one()
    {
        var clock = new StoppedClock();
        var limit = new UnverifiedLimit(clock);
        for (int i = 0; i < 10_000; i++)
        {
            limit.Refused(IPAddress.Loopback);
        }

        clock.Seconds = 20;
        Enumerable.Range(0, 99).ShouldAllBe(_ => limit.Allows(IPAddress.Loopback));
    }

    private sealed class StoppedClock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
