using System.Data.Common;
using System.Globalization;
using Dapper;
using Holdfast.Participant;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace FlashSaleShop.Services;

/// <summary>What the three services share: their database, the coordinator's secret, and the faults of a bad day.</summary>
internal static class ServiceHost
{
    /// <summary>ROLE --http ADDRESS --db CONNECTION --secret whsec_... [--coordinator URL] [--faults SHARE]</summary>
    public static async Task<int> RunAsync(string[] args, Func<WebApplication, Task> map)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddCommandLine(args[1..]);
        builder.Logging.SetMinimumLevel(LogLevel.Error);
        builder.WebHost.UseUrls(builder.Configuration["http"]!);
        string database = builder.Configuration["db"]!;
        builder.Services.AddHoldfastParticipant(o =>
        {
            o.Secrets.Add(builder.Configuration["secret"]!);
            o.Connection = _ => Connect(database);
        });

        WebApplication app = builder.Build();
        double faults = double.Parse(builder.Configuration["faults"] ?? "0", CultureInfo.InvariantCulture);
        if (faults > 0)
        {
            app.Use((context, next) => BadDayAsync(context, next, faults));
        }

        app.MapGet("/health", () => "ok");
        await map(app);
        await app.RunAsync();
        return 0;
    }

    /// <summary>SQLite files for a trial, PostgreSQL when the connection string names a host.</summary>
    public static DbConnection Connect(string database) => database.Contains("Host=", StringComparison.OrdinalIgnoreCase)
        ? new NpgsqlConnection(database)
        : new SqliteConnection(database);

    /// <summary>Opens the service's database, once its tables are there.</summary>
    public static async Task<DbConnection> OpenAsync(IConfiguration configuration)
    {
        DbConnection connection = Connect(configuration["db"]!);
        await connection.OpenAsync();
        if (connection is SqliteConnection)
        {
            await connection.ExecuteAsync("pragma journal_mode = wal");
        }

        return connection;
    }

    /// <summary>Fails before the work, after the work (the answer is lost), or comes late.</summary>
    private static async Task BadDayAsync(HttpContext context, RequestDelegate next, double share)
    {
        if (!HttpMethods.IsPost(context.Request.Method) || Random.Shared.NextDouble() >= share)
        {
            await next(context);
            return;
        }

        switch (Random.Shared.Next(4))
        {
            case 0:
                context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                break;
            case 1:
                // The work is done, but nobody learns of it.
                Stream answer = context.Response.Body;
                context.Response.Body = Stream.Null;
                await next(context);
                context.Response.Body = answer;
                context.Abort();
                break;
            case 2:
                await Task.Delay(Random.Shared.Next(50, 400));
                await next(context);
                break;
            default:
                context.Response.StatusCode = 425;
                break;
        }
    }
}
