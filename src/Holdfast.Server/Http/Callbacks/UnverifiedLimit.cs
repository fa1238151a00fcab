using System.Collections.Concurrent;
using System.Net;

namespace Holdfast.Server;

/// <summary>
/// Bounds what senders whose signatures are wrong may cost: each address has a bucket of refusals that fills slowly. An
/// address that sent a genuine callback lately is not limited: behind a proxy the provider has the forger's address. For
/// the same reason one in ten of those above the limit is looked at all the same: what is known of addresses is gone with a
/// restart, and a provider that calls again is heard then.
/// </summary>
internal sealed class UnverifiedLimit(TimeProvider time)
{
    private const double Burst = 100;
    private const double PerSecond = 5;
    private const int LookAtOneIn = 10;
    private const int AddressesMax = 10_000;
    private static readonly TimeSpan TrustFor = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<IPAddress, Sender> _senders = new();

    /// <summary>Whether a callback of this address is looked at.</summary>
    public bool Allows(IPAddress address)
    {
        if (!_senders.TryGetValue(address, out Sender? sender))
        {
            return true;
        }

        lock (sender)
        {
            return time.GetElapsedTime(sender.GenuineAt) < TrustFor || Left(sender) >= 1 || ++sender.Limited % LookAtOneIn == 0;
        }
    }

    public void Refused(IPAddress address)
    {
        if (_senders.Count >= AddressesMax)
        {
            _senders.Clear(); // many addresses, each with few refusals: forgetting them is cheaper than remembering
        }

        Sender sender = _senders.GetOrAdd(address, _ => new Sender { At = time.GetTimestamp() });
        lock (sender)
        {
            sender.Tokens = Math.Max(0, Left(sender) - 1);
            sender.At = time.GetTimestamp();
        }
    }

    public void Genuine(IPAddress address)
    {
        Sender sender = _senders.GetOrAdd(address, _ => new Sender { At = time.GetTimestamp() });
        lock (sender)
        {
            sender.GenuineAt = time.GetTimestamp();
        }
    }

    private double Left(Sender sender) => Math.Min(Burst, sender.Tokens + (time.GetElapsedTime(sender.At).TotalSeconds * PerSecond));

    private sealed class Sender
    {
        public double Tokens { get; set; } = Burst;

        public long At { get; set; }

        public long Limited { get; set; }

        public long GenuineAt { get; set; } = long.MinValue / 2;
    }
}
