using Holdfast.Client;

namespace Holdfast.Cli.Demo;

/// <summary>
/// One shopper: fills one or two carts, and buys each, puts it back or abandons it. Now and then a finger slips and the
/// same request goes out twice at once. What the server told goes into the shopper's book, nothing else.
/// </summary>
internal sealed class Shopper
{
    private const double SecondCart = 0.15;
    private const double TryTwice = 0.10;
    private const double ConfirmTwice = 0.20;
    private const double OverHttp = 0.03;
    private const double Buys = 0.6;
    private const double PutsBack = 0.2;

    private readonly DemoSettings _settings;
    private readonly Random _random;
    private readonly IHoldfastClient _client;
    private readonly SaleBoard _board;
    private readonly WaitLog _waits;

    public Shopper(int number, DemoSettings settings, SaleClients clients, SaleBoard board, WaitLog waits)
    {
        _settings = settings;

        // Of its own, so that what a shopper does follows from the seed and not from who came first.
        _random = new Random(HashCode.Combine(settings.Seed, number));
        _client = _random.NextDouble() < OverHttp ? clients.Http : clients.Resp[number % clients.Resp.Count];
        _board = board;
        _waits = waits;
        Carts = MakeCarts(number);
    }

    /// <summary>The shopper's page of the book. Written before anything is sent.</summary>
    public IReadOnlyList<Cart> Carts { get; }

    public async Task ShopAsync(CancellationToken cancellationToken)
    {
        foreach (Cart cart in Carts)
        {
            await FillAsync(cart, cancellationToken);
            if (cart.Tried == Told.Held && cart.Plan != Plan.Abandon)
            {
                await EndAsync(cart, cancellationToken);
            }
        }

        _board.ShopperLeft();
    }

    private Cart[] MakeCarts(int number)
    {
        var carts = new Cart[_random.NextDouble() < SecondCart ? 2 : 1];
        for (int i = 0; i < carts.Length; i++)
        {
            double mood = _random.NextDouble();
            Plan plan = mood < Buys ? Plan.Buy : mood < Buys + PutsBack ? Plan.PutBack : Plan.Abandon;
            carts[i] = new Cart(
                $"cart-{number}-{i}",
                $"buyer-{number}",
                _random.Next(1, _settings.PerOwner + 1),
                plan,
                plan == Plan.Abandon ? _settings.AbandonedTtl : _settings.PatientTtl);
        }

        return carts;
    }

    private async Task FillAsync(Cart cart, CancellationToken cancellationToken)
    {
        var request = new HoldRequest([new HoldLine(DemoSettings.Resource, cart.Quantity)])
        {
            Id = cart.Id, Owner = cart.Owner, Ttl = cart.Ttl,
        };
        cart.Tried = Told.Unknown;
        Told[] told = await SendAsync(() => _client.TryHoldAsync(request, cancellationToken), TryTwice);

        // Twice the same id is one hold: when one of the two was held, it is held (units may have come back in between).
        cart.Tried = told.Contains(Told.Held) ? Told.Held : told.FirstOrDefault(t => t != Told.Refused, Told.Refused);
        if (cart.Tried is Told.Expired or Told.Cancelled or Told.Confirmed)
        {
            // The answer was lost in a crash, and when it was asked again its deadline had passed.
            (cart.Ended, cart.Tried) = (cart.Tried, Told.Held);
        }

        if (cart.Tried == Told.Refused)
        {
            _board.RefusedCart();
        }
    }

    private async Task EndAsync(Cart cart, CancellationToken cancellationToken)
    {
        if (cart.Ended != Told.Nothing)
        {
            return;
        }

        cart.Ended = Told.Unknown;
        Told[] told = cart.Plan == Plan.Buy
            ? await SendAsync(() => _client.ConfirmAsync(cart.Id, null, cancellationToken), ConfirmTwice)
            : await SendAsync(() => _client.CancelAsync(cart.Id, cancellationToken), 0);

        // Two answers must agree; were they to differ, the first is booked and the audit meets the other.
        cart.Ended = told[0];
        if (cart.Ended == Told.Confirmed)
        {
            _board.Bought(cart.Quantity);
        }
    }

    private async Task<Told[]> SendAsync(Func<ValueTask<HoldResult>> call, double twice)
    {
        if (_random.NextDouble() >= twice)
        {
            return [await OnceAsync(call)];
        }

        return await Task.WhenAll(OnceAsync(call), OnceAsync(call));
    }

    private async Task<Told> OnceAsync(Func<ValueTask<HoldResult>> call)
    {
        try
        {
            HoldResult result = await _waits.TimeAsync(call());
            _board.Answered();
            return result.Succeeded ? OfState(result.State.Value) : OfRefusal(result.Refusal.Code);
        }
        catch (HoldfastUnavailableException)
        {
            return Told.Unknown;
        }
    }

    private static Told OfState(HoldState state) => state switch
    {
        HoldState.Held => Told.Held,
        HoldState.Confirmed => Told.Confirmed,
        HoldState.Cancelled => Told.Cancelled,
        HoldState.Expired => Told.Expired,
        _ => Told.Unknown,
    };

    private static Told OfRefusal(RefusalCode code) => code switch
    {
        RefusalCode.Expired => Told.Expired,
        RefusalCode.Cancelled => Told.Cancelled,
        RefusalCode.Confirmed => Told.Confirmed,
        RefusalCode.Insufficient or RefusalCode.LimitExceeded => Told.Refused,
        _ => throw new InvalidOperationException($"A shopper's request was refused as '{code}', which no shopper asks for."),
    };
}
