namespace Holdfast.Cli.Demo;

/// <summary>The sale.</summary>
internal sealed record DemoSettings
{
    /// <summary>The resource on sale.</summary>
    public const string Resource = "sku-1";

    /// <summary>Shoppers.</summary>
    public int Buyers { get; init; } = 100_000;

    /// <summary>Units on sale.</summary>
    public int Units { get; init; } = 10_000;

    /// <summary>Units that one shopper may have.</summary>
    public int PerOwner { get; init; } = 2;

    /// <summary>Shoppers who check out and pay, after the rush.</summary>
    public int Payers { get; init; } = 5_000;

    /// <summary>RESP connections.</summary>
    public int Connections { get; init; } = 4;

    /// <summary>Shoppers at the shop at the same time.</summary>
    public int AtOnce { get; init; } = 512;

    /// <summary>How often the server is killed in the middle.</summary>
    public int Kills { get; init; } = 2;

    /// <summary>What the shoppers do follows from it, and when the server is killed.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Time to live of a cart that its shopper will abandon.</summary>
    public TimeSpan AbandonedTtl { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Time to live of every other cart: long enough for a restart of the server.</summary>
    public TimeSpan PatientTtl { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Shoppers in this share come late, when abandoned carts have given their units back.</summary>
    public double Late { get; init; } = 0.1;
}
