using Holdfast.Client;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts a client into any .NET host.</summary>
public static class HoldfastClientServices
{
    /// <summary>
    /// Adds one <see cref="IHoldfastClient"/> for the whole process: <c>services.AddHoldfastClient(o => o.HttpAddress = new Uri("http://127.0.0.1:7070"))</c>.
    /// It connects with its first call and is disposed with the host.
    /// </summary>
    public static IServiceCollection AddHoldfastClient(this IServiceCollection services, Action<HoldfastClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.TryAddSingleton(_ =>
        {
            var options = new HoldfastClientOptions();
            configure(options);
            return HoldfastClient.Connect(options);
        });
        return services;
    }
}
