namespace Holdfast.Client;

/// <summary>Makes a client from options.</summary>
public static class HoldfastClient
{
    /// <summary>
    /// A RESP client when <see cref="HoldfastClientOptions.RespAddress"/> is set (with HTTP beside it for the few calls
    /// that RESP has no form for, when <see cref="HoldfastClientOptions.HttpAddress"/> is set too), else an HTTP client.
    /// Does no I/O: the first call connects.
    /// </summary>
    /// <exception cref="ArgumentException">The options are not usable; the message names the property.</exception>
    public static IHoldfastClient Connect(HoldfastClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.RespAddress is null ? new HttpHoldfastClient(options) : new RespHoldfastClient(options);
    }
}
