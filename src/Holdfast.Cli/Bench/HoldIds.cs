using System.Buffers.Text;

namespace Holdfast.Cli.Bench;

/// <summary>Ids as a shop has them, made without allocating: <c>h-1000000000017</c>, and the owner of every two <c>u-500000008</c>.</summary>
internal sealed class HoldIds
{
    /// <summary>Bytes of a hold's id.</summary>
    public const int IdBytes = 15;

    private readonly byte[] _id = new byte[IdBytes];
    private readonly byte[] _owner = new byte[24];
    private int _ownerLength;

    public HoldIds()
    {
        "h-"u8.CopyTo(_id);
        "u-"u8.CopyTo(_owner);
    }

    public ReadOnlySpan<byte> Id => _id;

    public ReadOnlySpan<byte> Owner => _owner.AsSpan(0, _ownerLength);

    public void Set(long number)
    {
        Utf8Formatter.TryFormat(1_000_000_000_000 + number, _id.AsSpan(2), out _);
        Utf8Formatter.TryFormat(number / BenchSpace.LimitPerOwner, _owner.AsSpan(2), out int digits);
        _ownerLength = digits + 2;
    }
}
