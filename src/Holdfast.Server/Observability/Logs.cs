using Microsoft.Extensions.Logging;

namespace Holdfast.Server;

/// <summary>What is logged: our own news, and others' warnings. Never a request's body or headers, so never a key.</summary>
internal static class Logs
{
    public static void Add(ILoggingBuilder logging)
    {
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.UseUtcTimestamp = true;
        });
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("System", LogLevel.Warning);
    }
}
