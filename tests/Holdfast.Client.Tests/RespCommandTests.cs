using System.Text;
using Holdfast.Client.Resp;

namespace Holdfast.Client.Tests;

/// <summary>Bytes on the wire are pinned: another program reads them.</summary>
public class RespCommandTests
{
    private static string Written<TCommand>(TCommand command)
        where TCommand : struct, IRespCommand
    {
        var writer = new RespWriter();
        command.Write(writer);
        RespReader.TryRead(writer.Written.Span, out var value, out var consumed).ShouldBeTrue();
        consumed.ShouldBe(writer.Length);
        return string.Join(' ', value.Items.Select(item => item.Text));
    }

    [Fact]
    public void Try_is_pinned_byte_by_byte()
    {
        var writer = new RespWriter();
        new TryHoldCommand("h-1", HoldRequest.Of("sku-1", 2), 0, 1_700_000_000_000).Write(writer);

        Encoding.UTF8.GetString(writer.Written.Span).ShouldBe(
            "*6\r\n$8\r\nHOLD.TRY\r\n$3\r\nh-1\r\n$1\r\n-\r\n$15\r\n0@1700000000000\r\n$5\r\nsku-1\r\n$1\r\n2\r\n");
    }

    [Fact]
    public void Try_with_owner_ttl_and_lines() =>
        Written(new TryHoldCommand("h", new HoldRequest([new("a", 1), new("b", long.MaxValue)]) { Owner = "user-9" }, 30, 5))
            .ShouldBe("HOLD.TRY h user-9 30@5 a 1 b 9223372036854775807");

    [Fact]
    public void Confirm_of_everything() => Written(new ConfirmCommand("h", null)).ShouldBe("HOLD.CONFIRM h");

    [Fact]
    public void Confirm_of_a_part_that_keeps_the_rest() =>
        Written(new ConfirmCommand("h", new ConfirmRequest { KeepRemainder = true, Lines = [new("KEEP", 1)] })).ShouldBe("HOLD.CONFIRM h KEEP KEEP 1");

    [Fact]
    public void Extend_adjust_and_the_one_argument_commands()
    {
        Written(new ExtendCommand("h", 60)).ShouldBe("HOLD.EXTEND h 60");
        Written(new AdjustCommand("sku-1", "a-1", 5, "count of today")).ShouldBe("STOCK.ADJUST sku-1 a-1 5 count of today");
        Written(new UnaryCommand("HOLD.GET", "été\r\n")).ShouldBe("HOLD.GET été\r\n");
    }

    [Fact]
    public void Buffer_grows_and_forgets_a_command_taken_back()
    {
        var writer = new RespWriter();
        new UnaryCommand("HOLD.GET", "kept").Write(writer);
        var kept = writer.Written.ToArray();
        new UnaryCommand("HOLD.GET", new string('x', 3_000_000)).Write(writer);
        writer.Truncate(kept.Length);

        writer.Written.ToArray().ShouldBe(kept);
        writer.Clear();
        writer.Length.ShouldBe(0);
    }

    [Theory]
    [InlineData("INSUFFICIENT sku-1 asked 2 available 0", RefusalCode.Insufficient, "sku-1", 2L, 0L, null)]
    [InlineData("INSUFFICIENT a b asked c asked 2 available -3", RefusalCode.Insufficient, "a b asked c", 2L, -3L, null)]
    [InlineData("INSUFFICIENT a asked asked 2 available 0", RefusalCode.Insufficient, "a asked", 2L, 0L, null)]
    [InlineData("LIMIT_EXCEEDED sku-1 asked 2 available 1 hold h-7", RefusalCode.LimitExceeded, "sku-1", 2L, 1L, "h-7")]
    [InlineData("LIMIT_EXCEEDED sku 1 asked 2 available 1 hold ann's hold (the first)", RefusalCode.LimitExceeded, "sku 1", 2L, 1L, "ann's hold (the first)")]
    [InlineData("EXCEEDS_HOLD sku-1 asked 5 available 1", RefusalCode.ExceedsHold, "sku-1", 5L, 1L, null)]
    [InlineData("DISABLED sku 1 asked 2 available 0 (it takes no new holds)", RefusalCode.Disabled, "sku 1", 2L, 0L, null)]
    [InlineData("NOT_OPEN sku-1 asked 2 available 0 (it opens at 06:00 (UTC))", RefusalCode.NotOpen, "sku-1", 2L, 0L, null)]
    [InlineData("UNKNOWN_RESOURCE sku-1 asked 2 available 0 (there is no such resource)", RefusalCode.UnknownResource, "sku-1", 2L, 0L, null)]
    [InlineData("VERSION_MISMATCH sku-1 asked 3 available 4", RefusalCode.VersionMismatch, "sku-1", 3L, 4L, null)]
    [InlineData("UNKNOWN_RESOURCE there is no resource sku-1", RefusalCode.UnknownResource, null, null, null, null)]
    [InlineData("INVALID 'x asked 2 available 1' is too long", RefusalCode.Invalid, null, null, null, null)]
    [InlineData("CONFLICT x asked 2 available 1", RefusalCode.Conflict, null, null, null, null)]
    [InlineData("CANCELLED", RefusalCode.Cancelled, null, null, null, null)]
    [InlineData("BRAND_NEW something", RefusalCode.Unknown, null, null, null, null)]
    public void Refusal_is_read_from_its_words(string text, RefusalCode code, string? resource, long? asked, long? available, string? hold)
    {
        var refusal = RespReplies.ToRefusal(RespValue.Of(RespKind.Error, text)).ShouldNotBeNull();

        refusal.Code.ShouldBe(code);
        refusal.CodeText.ShouldBe(text.Split(' ')[0].ToLowerInvariant());
        refusal.Resource.ShouldBe(resource);
        refusal.Asked.ShouldBe(asked);
        refusal.Available.ShouldBe(available);
        refusal.BlockingHold.ShouldBe(hold);
    }

    [Fact]
    public void Every_known_code_has_its_text()
    {
        foreach (var code in Enum.GetValues<RefusalCode>().Where(code => code != RefusalCode.Unknown))
        {
            var text = string.Concat(code.ToString().Select((c, i) => i > 0 && char.IsUpper(c) ? $"_{c}" : $"{c}")).ToLowerInvariant();
            RefusalCodes.Parse(text).ShouldBe(code);
        }
    }
}
