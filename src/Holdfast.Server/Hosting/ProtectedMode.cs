using System.Net;

namespace Holdfast.Server;

/// <summary>
/// Refuses to listen to others than this machine without API keys: whoever reaches the port could sell out the shop.
/// As Redis' protected mode does (https://redis.io/docs/latest/operate/oss_and_stack/management/security/).
/// </summary>
internal static class ProtectedMode
{
    public static void Check(ServerSettings settings)
    {
        if (settings.ApiKeys.Count > 0)
        {
            return;
        }

        foreach ((string name, IPEndPoint? endpoint) in new[] { ("http", settings.Http), ("resp", settings.Resp) })
        {
            if (endpoint is not null && !IPAddress.IsLoopback(endpoint.Address))
            {
                throw new SettingsException(
                    $"Protected mode: {name} would listen on {endpoint}, where others than this machine can reach it, and no API keys are set. "
                    + $"Either listen on 127.0.0.1:{endpoint.Port}, or set API keys in holdfast.json: "
                    + """{"apiKeys":[{"name":"shop","key":"a long random secret","roles":["read","write","operate"]}]}"""
                    + " (or HOLDFAST_APIKEYS__0__KEY, __NAME and __ROLES).");
            }
        }
    }
}
