using System.Globalization;

namespace Holdfast.Server.Simulator;

/// <summary>What goes wrong at the simulated provider, each as a share from 0 to 1 of the cases it could happen in.</summary>
public sealed record SimulatorFaults
{
    /// <summary>A callback is sent again, once to four times, from several connections.</summary>
    public double Duplicate { get; init; }

    /// <summary>A callback is never sent; one that tells of what asking about the order would not show (a second payment, one
    /// after the close, a refund) is sent late.</summary>
    public double Drop { get; init; }

    /// <summary>A callback is sent late, and so after others: up to <see cref="DelayMs"/>.</summary>
    public double Delay { get; init; }

    /// <summary>A forged callback is sent beside the real one.</summary>
    public double Forge { get; init; }

    /// <summary>A call is carried out, and its answer never comes.</summary>
    public double Timeout { get; init; }

    /// <summary>The shopper pays another amount.</summary>
    public double WrongAmount { get; init; }

    /// <summary>The shopper pays twice.</summary>
    public double Twice { get; init; }

    /// <summary>A payment settles only after its order was closed.</summary>
    public double Late { get; init; }

    /// <summary>Longest delay, in milliseconds.</summary>
    public int DelayMs { get; init; } = 2_000;

    /// <summary>Everything goes wrong now and then.</summary>
    public static SimulatorFaults All { get; } = new()
    {
        Duplicate = 0.2, Drop = 0.05, Delay = 0.3, Forge = 0.05, Timeout = 0.03, WrongAmount = 0.01, Twice = 0.02, Late = 0.05,
    };

    /// <summary>Reads <c>duplicate=0.2,drop=0.1</c>; <c>all</c> and <c>none</c> too.</summary>
    /// <exception cref="SettingsException">It can't be read.</exception>
    public static SimulatorFaults Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        SimulatorFaults faults = text.StartsWith("all", StringComparison.Ordinal) ? All : new SimulatorFaults();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(p => p is not ("all" or "none")))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            double value = equals > 0 && double.TryParse(part.AsSpan(equals + 1), CultureInfo.InvariantCulture, out double read) ? read : -1;
            string name = equals > 0 ? part[..equals] : part;
            bool isShare = value is >= 0 and <= 1;
            faults = name switch
            {
                "duplicate" when isShare => faults with { Duplicate = value },
                "drop" when isShare => faults with { Drop = value },
                "delay" when isShare => faults with { Delay = value },
                "forge" when isShare => faults with { Forge = value },
                "timeout" when isShare => faults with { Timeout = value },
                "wrongAmount" when isShare => faults with { WrongAmount = value },
                "twice" when isShare => faults with { Twice = value },
                "late" when isShare => faults with { Late = value },
                "delayMs" when value is >= 0 and <= 3_600_000 => faults with { DelayMs = (int)value },
                _ => throw new SettingsException(
                    $"faults: '{part}' is not NAME=SHARE with a share from 0 to 1. Known: duplicate, drop, delay, forge, timeout, wrongAmount, twice, late, delayMs; or all, none."),
            };
        }

        return faults;
    }
}
