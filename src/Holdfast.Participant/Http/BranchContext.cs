using System.Data.Common;
using System.Text.Json;

namespace Holdfast.Participant;

/// <summary>What an action works with: the call, its body, and the local transaction that it must use.</summary>
/// <param name="Call">What is asked.</param>
/// <param name="Body">The raw body.</param>
/// <param name="Transaction">The local transaction; the barrier's marker is in it.</param>
/// <param name="Services">The request's services.</param>
/// <param name="CancellationToken">Ends when the coordinator has hung up.</param>
public sealed record BranchContext(BranchCall Call, ReadOnlyMemory<byte> Body, DbTransaction Transaction, IServiceProvider Services, CancellationToken CancellationToken)
{
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);

    /// <summary>The local transaction's connection.</summary>
    public DbConnection Connection => Transaction.Connection!;

    /// <summary>The body as JSON (camelCase).</summary>
    /// <exception cref="JsonException">It isn't; the call is answered 400.</exception>
    public T Read<T>() => JsonSerializer.Deserialize<T>(Body.Span, Web) ?? throw new JsonException("The body is null.");

    /// <summary>A command in the local transaction. Parameters are named <c>@name</c>.</summary>
    public DbCommand Command(string text, params (string Name, object Value)[] parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        DbCommand command = Connection.CreateCommand();
        command.Transaction = Transaction;
#pragma warning disable CA2100 // the text is the participant's own, values are parameters
        command.CommandText = text;
#pragma warning restore CA2100
        foreach ((string name, object value) in parameters)
        {
            DbParameter parameter = command.CreateParameter();
            parameter.ParameterName = "@" + name;
            parameter.Value = value;
            command.Parameters.Add(parameter);
        }

        return command;
    }

    /// <summary>Runs a statement in the local transaction and says how many rows it changed.</summary>
    public async Task<int> ExecuteAsync(string text, params (string Name, object Value)[] parameters)
    {
        await using DbCommand command = Command(text, parameters);
        return await command.ExecuteNonQueryAsync(CancellationToken);
    }
}

/// <summary>One action of a participant.</summary>
public delegate Task<BranchResult> BranchAction(BranchContext context);
