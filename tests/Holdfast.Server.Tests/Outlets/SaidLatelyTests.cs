using Holdfast.Server.Outlets;

namespace Holdfast.Server.Tests.Outlets;

public sealed class SaidLatelyTests
{
    [Fact]
    public void The_same_is_said_again_only_after_ten_seconds_and_another_reason_at_once()
    {
        var time = new SettableTime();
        var said = new SaidLately(time);
        said.IsNews("full").ShouldBeTrue();
        said.IsNews("full").ShouldBeFalse();
        time.Seconds = 9;
        said.IsNews("full").ShouldBeFalse();
        time.Seconds = 10;
        said.IsNews("full").ShouldBeTrue();
        said.IsNews("full").ShouldBeFalse();
        said.IsNews("read-only").ShouldBeTrue();
        said.IsNews("full").ShouldBeTrue();
    }

    private sealed class SettableTime : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
